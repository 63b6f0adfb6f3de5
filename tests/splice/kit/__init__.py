"""Parts of the splice lane's end-to-end tests: numbered bodies, streams to carry them, networks with faults, and meters."""

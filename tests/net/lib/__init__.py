"""Parts of the black-box tests: a raw client, raw and real origins, and the programs under test."""

// The npm `eventsource` client: prints what an application sees, one JSON line each, until it is told to stop.
import { EventSource } from 'eventsource';

const [url, want] = process.argv.slice(2);
const say = (record) => process.stdout.write(JSON.stringify({ t: process.hrtime.bigint().toString(), ...record }) + '\n');
const source = new EventSource(url);
let left = Number(want ?? 0);

source.onopen = () => say({ event: 'open' });
source.onerror = (e) => say({ event: 'error', code: e.code ?? null, message: e.message ?? null, state: source.readyState });
source.onmessage = (e) => {
	say({ event: 'message', data: e.data, id: e.lastEventId });
	if (--left === 0) {
		source.close();
		say({ event: 'done' });
	}
};

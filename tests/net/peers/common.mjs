// What the Node origins share: an event source that says when each event left, and a log of opens and closes.

export const now = () => process.hrtime.bigint().toString();

export function say(record) {
	process.stdout.write(JSON.stringify(record) + '\n');
}

// Streams n events, `gap` ms apart, onto a response whose head is already out; n = 0: stays silent.
export function pump(req, res, query) {
	const n = Number(query.get('n') ?? 10);
	const gap = Number(query.get('gap') ?? 50);
	let seq = Number(req.headers['last-event-id'] ?? -1) + 1;
	let sent = 0;
	say({ event: 'open', url: req.url, last_event_id: req.headers['last-event-id'] ?? null, http: req.httpVersion });
	if (query.get('retry'))
		res.write(`retry: ${query.get('retry')}\n\n`);
	const timer = setInterval(() => {
		if (sent >= n) {
			clearInterval(timer);
			if (n > 0 && query.get('end') !== '0')
				res.end();
			return;
		}
		res.write(`id: ${seq}\ndata: {"seq":${seq},"t":"${now()}"}\n\n`);
		seq++;
		sent++;
	}, gap);
	res.on('close', () => {
		clearInterval(timer);
		say({ event: 'close', url: req.url, t: now(), finished: res.writableFinished });
	});
}

export function listen(server) {
	server.keepAliveTimeout = 60000;
	server.listen(0, '127.0.0.1', () => say({ event: 'listening', port: server.address().port }));
}

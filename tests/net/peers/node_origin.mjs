// An origin on Node's own http module.
import http from 'node:http';
import { listen, now, pump, say } from './common.mjs';

const routes = {
	'/events': (req, res, query) => {
		res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
		res.flushHeaders();
		pump(req, res, query);
	},
	// An LLM call: the body is read as it comes, the answer is an event stream that begins before the body ends.
	'/chat': (req, res) => {
		res.writeHead(200, { 'Content-Type': 'text/event-stream' });
		res.flushHeaders();
		let total = 0;
		req.on('data', (part) => {
			total += part.length;
			res.write(`data: {"got":${part.length},"t":"${now()}"}\n\n`);
		});
		req.on('end', () => res.end(`data: {"total":${total}}\n\n`));
	},
	'/echo': (req, res) => {
		res.writeHead(200, { 'Content-Type': req.headers['content-type'] ?? 'application/octet-stream' });
		req.pipe(res);
	},
	'/json': (req, res) => {
		const body = JSON.stringify({ ok: true, url: req.url, headers: req.rawHeaders });
		res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
		res.end(body);
	},
	'/trailers': (req, res) => {
		res.writeHead(200, { 'Content-Type': 'text/plain', Trailer: 'X-Sum' });
		res.write('hello ');
		res.addTrailers({ 'X-Sum': '42' });
		res.end('world');
	},
	'/empty': (req, res) => {
		res.writeHead(204);
		res.end();
	},
	'/early': (req, res) => {
		res.writeEarlyHints({ link: '</style.css>; rel=preload' });
		setTimeout(() => res.end('late'), 30);
	},
};

const server = http.createServer((req, res) => {
	const url = new URL(req.url, 'http://origin');
	const route = routes[url.pathname];
	if (!route) {
		res.writeHead(404);
		res.end('no such page');
		return;
	}
	route(req, res, url.searchParams);
});

// A WebSocket handshake and an echo of raw bytes behind it: enough to see that a tunnel is one.
server.on('upgrade', (req, socket, head) => {
	socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: ' + req.headers.upgrade + '\r\nConnection: Upgrade\r\n\r\n');
	socket.write(head);
	socket.pipe(socket);
	socket.on('error', () => {});
	socket.on('close', () => say({ event: 'tunnel-closed', t: now() }));
});

listen(server);

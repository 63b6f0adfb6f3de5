// The origin of the first seed (Caddy and Express), and an event stream beside it.
const express = require('express');

import('./common.mjs').then(({ listen, pump }) => {
	const app = express();

	app.get('/', (req, res) => {
		res.type('text/event-stream').flushHeaders();
		pump(req, res, new URLSearchParams('n=0'));
	});
	app.get('/events', (req, res) => {
		res.type('text/event-stream').flushHeaders();
		pump(req, res, new URL(req.url, 'http://origin').searchParams);
	});
	app.get('/json', (req, res) => res.json({ ok: true }));
	app.post('/echo', express.raw({ type: '*/*', limit: '8mb' }), (req, res) => res.type('bin').send(req.body));

	listen(require('node:http').createServer(app));
});

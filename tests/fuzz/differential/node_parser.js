// Reads messages (each behind its length, four bytes little endian) from stdin and prints what Node's own HTTP/1
// parser, strict, makes of the first message in each: one line of JSON. Bytes go in one by one: `used` is exact.
'use strict';
process.removeAllListeners('warning');
const { HTTPParser } = require('_http_common');
const { methods } = process.binding('http_parser');

const MAX_HEAD = 1 << 20; // sluice's own limit is to decide, not Node's

function parse(bytes) {
  const response = bytes.subarray(0, 5).toString('latin1') === 'HTTP/';
  const seen = { verdict: 'more', kind: response ? 'response' : 'request', complete: false, used: 0 };
  const body = [];
  let fields = [], url = '', inTrailers = false;
  const parser = new HTTPParser();
  parser.initialize(response ? HTTPParser.RESPONSE : HTTPParser.REQUEST, {}, MAX_HEAD, HTTPParser.kLenientNone);
  parser[HTTPParser.kOnHeaders | 0] = (list, u) => {
    if (inTrailers) return;
    fields = fields.concat(list);
    url += u;
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, list, method, u, status, reason, upgrade) => {
    if (list !== undefined) fields = fields.concat(list);
    if (u !== undefined) url += u;
    inTrailers = true;
    Object.assign(seen, { verdict: 'accepted', major, minor, upgrade, method: methods[method], target: url, status,
      reason });
    return 0;
  };
  parser[HTTPParser.kOnBody | 0] = (chunk) => { body.push(Buffer.from(chunk)); };
  parser[HTTPParser.kOnMessageComplete | 0] = () => { seen.complete = true; };

  for (let i = 0; i < bytes.length && !seen.complete; i++) {
    const result = parser.execute(bytes.subarray(i, i + 1));
    seen.used = i + 1;
    if (result instanceof Error) {
      seen.error = result.code;
      if (!seen.complete) seen.verdict = 'refused';
      break;
    }
  }
  parser.close();
  seen.body = Buffer.concat(body).toString('latin1');
  seen.fields = [];
  for (let i = 0; i < fields.length; i += 2) seen.fields.push({ name: fields[i], value: fields[i + 1] });
  return seen;
}

const input = require('fs').readFileSync(0);
for (let at = 0; at + 4 <= input.length;) {
  const n = input.readUInt32LE(at);
  process.stdout.write(JSON.stringify(parse(input.subarray(at + 4, at + 4 + n))) + '\n');
  at += 4 + n;
}

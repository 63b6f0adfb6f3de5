#include "proto/h1_write.h"

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{100, "Continue"},
	{101, "Switching Protocols"},
	{102, "Processing"},
	{103, "Early Hints"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{203, "Non-Authoritative Information"},
	{204, "No Content"},
	{205, "Reset Content"},
	{206, "Partial Content"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{425, "Too Early"},
	{426, "Upgrade Required"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{451, "Unavailable For Legal Reasons"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{507, "Insufficient Storage"},
	{511, "Network Authentication Required"},
};

const char *h1_reason(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static int append_head(struct buf *out, int status, int retry_after_s, bool keep_alive)
{
	int err =
		buf_printf(out, "HTTP/1.1 %03d %s\r\nCache-Control: no-store\r\n", status, h1_reason(status));

	if (!err && status == 405) /* RFC 9110 15.5.6; what may be asked at all, CONNECT and TRACE aside */
		err = buf_printf(out, "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n");
	if (!err && retry_after_s > 0)
		err = buf_printf(out, "Retry-After: %d\r\n", retry_after_s);
	if (!err && !keep_alive)
		err = buf_printf(out, "Connection: close\r\n");
	return err;
}

int h1_write_error(struct buf *out, int status, const char *detail, int retry_after_s, bool keep_alive,
	enum h1_method method)
{
	_cleanup_buf_ struct buf body = {0};
	bool has_body = status >= 200 && status != 204 && status != 304;
	size_t start = out->len;
	int err = buf_printf(&body, "%d %s\n", status, h1_reason(status));

	if (!err && detail)
		err = buf_printf(&body, "%s\n", detail);
	if (!err)
		err = append_head(out, status, retry_after_s, keep_alive);
	if (!err && has_body)
		err = buf_printf(
			out, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n", body.len);
	if (!err)
		err = buf_append(out, "\r\n", 2);
	if (!err && has_body && method != H1_HEAD)
		err = buf_append(out, body.data, body.len);
	if (err)
		out->len = start;
	return err;
}

/* `sndbuf: auto`: the client's send buffer starts small and follows what the client can take, so that a fast
 * and far client is not held back and a stalled one still shows at once. */
#include "base/clock.h"
#include "net/tuning.h"
#include "stream/stream.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define SNDBUF_START   (16 * 1024)
#define ADAPT_EVERY_MS 100

unsigned sndbuf_first(const struct stream *s)
{
	return s->route->sndbuf ? s->route->sndbuf : SNDBUF_START;
}

/* Twice the bandwidth-delay product, as the last round trips measured it; 0: unknown. */
static uint64_t wanted(int fd)
{
	struct tcp_info ti = {0};
	socklen_t len = sizeof(ti);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len))
		return 0;
	return 2 * ti.tcpi_delivery_rate * ti.tcpi_rtt / 1000000;
}

void sndbuf_adapt(struct stream *s)
{
	struct client *c = s->client;
	uint64_t now = loop_now_ms(s->env->loop), want;

	/* `stream` first: an answer of the relay's own may have no route. */
	if (!s->resp.stream || s->route->sndbuf || c->is_unix || c->carrier ||
		now < s->sndbuf_ms + ADAPT_EVERY_MS)
		return;
	s->sndbuf_ms = now;
	want = wanted(c->wire.source.fd);
	want = MAX(MIN(want, (uint64_t)s->route->sndbuf_max), (uint64_t)SNDBUF_START);
	/* Small changes are noise. */
	if (want < c->sndbuf + c->sndbuf / 4 && want > c->sndbuf / 2)
		return;
	if (tuning_stream(c->wire.source.fd, (unsigned)want))
		return;
	c->sndbuf = (unsigned)want;
	s->ctl->sndbuf = c->sndbuf;
	s->ctl->sndbuf_changes++;
}

#include "threads.h"
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

struct side {
	int fd;
	uint64_t total;
	unsigned seed;
	_Atomic bool stop;
	uint64_t bad_at; /* reader: first wrong byte + 1 */
	uint64_t done;
	unsigned stall_us; /* reader: now and then */
};

static void *origin_main(void *arg)
{
	struct side *s = arg;
	char text[16384];

	while (s->done < s->total && !s->stop) {
		size_t n = 1 + (size_t)rand_r(&s->seed) % (rand_r(&s->seed) % 16 ? 400 : sizeof(text) - 1);
		struct pollfd p = {.fd = s->fd, .events = POLLOUT};
		ssize_t w;

		n = MIN(n, s->total - s->done);
		pattern_fill(text, n, s->done);
		w = send(s->fd, text, n, MSG_NOSIGNAL);
		if (w > 0)
			s->done += (uint64_t)w;
		else
			poll(&p, 1, 100);
	}
	return NULL;
}

static void *reader_main(void *arg)
{
	struct side *s = arg;
	char text[16384], want[16384];

	while (s->done < s->total && !s->stop) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		ssize_t n = recv(s->fd, text, 1 + (size_t)rand_r(&s->seed) % (sizeof(text) - 1), 0);

		if (n == 0)
			break;
		if (n < 0) {
			poll(&p, 1, 100);
			continue;
		}
		pattern_fill(want, (size_t)n, s->done);
		if (memcmp(text, want, (size_t)n) && !s->bad_at)
			s->bad_at = s->done + 1;
		s->done += (uint64_t)n;
		if (s->stall_us && rand_r(&s->seed) % 256 == 0)
			usleep(s->stall_us);
	}
	return NULL;
}

void carry_threads(struct rig *g, uint64_t total, unsigned stall_us, void (*step)(struct rig *g))
{
	struct side origin = {.fd = g->origin, .total = total, .seed = 1};
	struct side reader = {.fd = g->reader, .total = total, .seed = 2, .stall_us = stall_us};
	uint64_t end = clock_mono_ns() + 60 * NS_PER_S;
	pthread_t a, b;

	assert_int_equal(pthread_create(&a, NULL, origin_main, &origin), 0);
	assert_int_equal(pthread_create(&b, NULL, reader_main, &reader), 0);
	while (__atomic_load_n(&reader.done, __ATOMIC_RELAXED) < total && clock_mono_ns() < end &&
		!g->relay.error)
		step(g);
	if (reader.done < total)
		rig_report(g);
	origin.stop = reader.stop = true;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	assert_int_equal(g->relay.error, 0);
	assert_int_equal(reader.bad_at, 0);
	assert_int_equal(reader.done, total);
}

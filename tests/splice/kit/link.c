/* A link between two TUN devices with faults of its own: delay, loss, reordering, duplicates. netem is not in
 * every kernel. link FD_A FD_B DELAY_US LOSS REORDER REORDER_US DUPLICATE SEED     (LOSS, REORDER, DUPLICATE:
 * of 1,000 packets) Prints what it did as JSON when it is told to end (SIGTERM). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_PACKET 2048
#define MAX_HELD   65536

struct packet {
	uint64_t due_ns, order;
	int to;
	int len;
	unsigned char bytes[];
};

static struct packet *heap[MAX_HELD];
static size_t held;
static uint64_t order, rng;
static uint64_t passed[2], lost[2], late[2], twice[2], overrun;
static volatile sig_atomic_t ended;

static void on_term(int signo)
{
	(void)signo;
	ended = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int chance(unsigned of_1000)
{
	rng = rng * 6364136223846793005u + 1442695040888963407u;
	return (rng >> 33) % 1000 < of_1000;
}

static int sooner(const struct packet *a, const struct packet *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void push(struct packet *p)
{
	size_t i = held++;

	for (; i && sooner(p, heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = p;
}

static struct packet *pop(void)
{
	struct packet *top = heap[0], *last = heap[--held];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < held) {
		if (child + 1 < held && sooner(heap[child + 1], heap[child]))
			child++;
		if (!sooner(heap[child], last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

static void hold(const unsigned char *bytes, int len, int to, uint64_t due_ns)
{
	struct packet *p;

	if (held == MAX_HELD) {
		overrun++;
		return;
	}
	p = malloc(sizeof(*p) + (size_t)len);
	if (!p)
		abort();
	p->due_ns = due_ns;
	p->order = order++;
	p->to = to;
	p->len = len;
	memcpy(p->bytes, bytes, (size_t)len);
	push(p);
}

int main(int argc, char **argv)
{
	struct sigaction term = {.sa_handler = on_term};
	struct pollfd p[2];
	unsigned v[6];

	if (argc != 9)
		return 2;
	for (int i = 0; i < 6; i++)
		v[i] = (unsigned)strtoul(argv[3 + i], NULL, 10);
	rng = 88172645463325252u + v[5];
	sigaction(SIGTERM, &term, NULL);
	for (int i = 0; i < 2; i++)
		p[i] = (struct pollfd){.fd = atoi(argv[1 + i]), .events = POLLIN};
	while (!ended) {
		struct timespec wait = {.tv_sec = 1};
		uint64_t now = now_ns();

		while (held && heap[0]->due_ns <= now) {
			struct packet *q = pop();

			if (write(p[q->to].fd, q->bytes, (size_t)q->len) == q->len)
				passed[!q->to]++;
			free(q);
		}
		if (held) {
			uint64_t left = heap[0]->due_ns - now;

			wait.tv_sec = (time_t)(left / 1000000000u);
			wait.tv_nsec = (long)(left % 1000000000u);
		}
		if (ppoll(p, 2, &wait, NULL) <= 0)
			continue;
		for (int from = 0; from < 2; from++) {
			unsigned char bytes[MAX_PACKET];
			uint64_t due = now_ns() + v[0] * 1000ull;
			ssize_t n;

			for (int batch = 0; batch < 64 && (n = read(p[from].fd, bytes, sizeof(bytes))) > 0;
				batch++) {
				if (chance(v[1])) {
					lost[from]++;
					continue;
				}
				if (chance(v[2])) {
					late[from]++;
					hold(bytes, (int)n, !from, due + v[3] * 1000ull);
				} else {
					hold(bytes, (int)n, !from, due);
				}
				if (chance(v[4])) {
					twice[from]++;
					hold(bytes, (int)n, !from, due + v[3] * 500ull);
				}
			}
		}
	}
	printf("{\"passed\": [%llu, %llu], \"lost\": [%llu, %llu], \"late\": [%llu, %llu], \"twice\": [%llu, "
	       "%llu], \"overrun\": %llu}\n",
		(unsigned long long)passed[0], (unsigned long long)passed[1], (unsigned long long)lost[0],
		(unsigned long long)lost[1], (unsigned long long)late[0], (unsigned long long)late[1],
		(unsigned long long)twice[0], (unsigned long long)twice[1], (unsigned long long)overrun);
	return 0;
}

#include "upstream/addrs.h"
#include "net/addr.h"

#define SKIP_MIN_MS 1000
#define SKIP_MAX_MS 60000
/* How long one dial that tests a failed address keeps others from testing it too: about a connect timeout. */
#define TEST_MS 5000

void addrs_done(struct addrs *a)
{
	free(a->list);
	*a = (struct addrs){0};
}

static struct addr_entry *find(const struct addrs *a, const struct sockaddr_any *addr)
{
	for (size_t i = 0; i < a->n; i++)
		if (addr_equal(&a->list[i].addr, addr))
			return &a->list[i];
	return NULL;
}

int addrs_set(struct addrs *a, const struct sockaddr_any *list, size_t n)
{
	struct addr_entry *fresh = calloc(n, sizeof(*fresh));
	size_t failing = 0;

	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct addr_entry *known = find(a, &list[i]);

		fresh[i] = known ? *known : (struct addr_entry){.addr = list[i]};
		failing += fresh[i].failures > 0;
	}
	free(a->list);
	*a = (struct addrs){.list = fresh, .n = n, .next = a->next % n, .failing = failing};
	return 0;
}

bool addrs_has(const struct addrs *a, const struct sockaddr_any *addr)
{
	return find(a, addr) != NULL;
}

static const struct sockaddr_any *hand_out(struct addrs *a, size_t i)
{
	a->next = (i + 1) % a->n;
	return &a->list[i].addr;
}

const struct sockaddr_any *addrs_next(struct addrs *a, uint64_t now_ms)
{
	if (!a->n)
		return NULL;
	for (size_t step = 0; step < a->n; step++) {
		size_t i = (a->next + step) % a->n;
		struct addr_entry *e = &a->list[i];

		if (e->skip_ms <= now_ms) {
			if (e->failures)
				e->skip_ms = now_ms + TEST_MS;
			return hand_out(a, i);
		}
	}
	return hand_out(a, a->next);
}

static bool untried(const struct addr_entry *e, uint64_t since_ms)
{
	return !e->failures || e->failed_ms < since_ms;
}

const struct sockaddr_any *addrs_next_untried(struct addrs *a, uint64_t since_ms)
{
	for (size_t step = 0; step < a->n; step++) {
		size_t i = (a->next + step) % a->n;

		if (untried(&a->list[i], since_ms))
			return hand_out(a, i);
	}
	return NULL;
}

bool addrs_any_untried(const struct addrs *a, uint64_t since_ms)
{
	for (size_t i = 0; i < a->n; i++)
		if (untried(&a->list[i], since_ms))
			return true;
	return false;
}

/* How long it is left out after so many failures in a row. */
static uint64_t rest_ms(unsigned failures)
{
	return MIN((uint64_t)SKIP_MIN_MS << MIN(failures - 1, 6U), (uint64_t)SKIP_MAX_MS);
}

bool addrs_failed(struct addrs *a, const struct sockaddr_any *addr, uint64_t now_ms)
{
	struct addr_entry *e = find(a, addr);

	if (e) { /* else the name's answer has changed since the dial */
		a->failing += !e->failures;
		/* A hundred dials that fail together are one failure: the rest must not jump to its maximum.
		 */
		if (!e->failures || now_ms >= e->counted_ms + rest_ms(e->failures)) {
			e->failures++;
			e->counted_ms = now_ms;
			e->skip_ms = now_ms + rest_ms(e->failures);
		}
		e->failed_ms = now_ms;
	}
	return a->failing == a->n;
}

void addrs_worked(struct addrs *a, const struct sockaddr_any *addr)
{
	struct addr_entry *e = a->failing ? find(a, addr) : NULL;

	if (!e || !e->failures)
		return;
	e->failures = 0;
	e->skip_ms = 0;
	a->failing--;
}

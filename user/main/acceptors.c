#include "main/acceptors.h"

int acceptors_open(
	struct acceptors *ret, struct env *env, const struct settings *settings, const int *fds, size_t n)
{
	struct acceptors a = {.list = calloc(MAX(n, (size_t)1), sizeof(*a.list))};
	int err = a.list ? 0 : -ENOMEM;

	for (size_t i = 0; i < n; i++) {
		if (!err)
			err = acceptor_init(&a.list[a.count], env, fds[i], &settings->listeners[i]);
		if (err)
			close(fds[i]);
		else
			a.count++;
	}
	if (err)
		acceptors_close(&a);
	else
		*ret = a;
	return err;
}

void acceptors_close(struct acceptors *a)
{
	for (size_t i = 0; i < a->count; i++)
		acceptor_done(&a->list[i]);
	free(a->list);
	*a = (struct acceptors){0};
}

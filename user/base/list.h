/* Intrusive doubly linked list. A node belongs to at most one list; an unlinked node points at itself. */
#ifndef SLUICE_BASE_LIST_H
#define SLUICE_BASE_LIST_H

#include "base/util.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_push_back(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
	list_push_back(head->next, node);
}

/* Legal on an unlinked node. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_for_each(pos, head)       for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
/* The body may remove `pos`. */
#define list_for_each_safe(pos, head)                                                                        \
	for (struct list *pos = (head)->next, *next_##pos = pos->next; pos != (head);                        \
		pos = next_##pos, next_##pos = pos->next)

#endif

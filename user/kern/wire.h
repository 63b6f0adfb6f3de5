/* A stream on loopback for the self-test: origin <-> up | relay | client <-> reader, with a relay of a few
 * lines that moves only in wire_turn(). Every byte of the stream is a function of its position. Private to
 * kern/. */
#ifndef SLUICE_KERN_WIRE_H
#define SLUICE_KERN_WIRE_H

#include "kern/splice.h"

struct wire {
	struct splice *k;
	uint32_t slot;
	int origin, up, client, reader;
	uint64_t sent, received; /* by the origin (or by the relay itself), by the reader */
	uint64_t length;	 /* the body ends when so much was sent; 0: with the connection */
	bool wrong;		 /* the reader got a byte that was not sent at its place */
	bool copying;		 /* in userspace's hands */
	size_t held;
	char hold[8192];
};

/* Four sockets with a small send buffer towards the client. Negative errno; then wire_close() is still due.
 */
must_check int wire_open(struct wire *w, struct splice *k, uint32_t slot);
void wire_close(struct wire *w);
must_check int wire_engage(struct wire *w);
/* The origin sends n bytes. False when not all of them fit. */
bool wire_send(struct wire *w, size_t n);
/* The relay writes n bytes of the stream to the client by itself. */
bool wire_write(struct wire *w, size_t n);
/* The relay reads exactly n bytes and writes them on, before it engages. */
bool wire_copy(struct wire *w, size_t n);
void wire_turn(struct wire *w);
/* Turns until the reader has all that was sent, and it was right. */
bool wire_expect(struct wire *w, int ms);
/* Turns until the kernel carries again. */
bool wire_resume(struct wire *w, int ms);
/* Turns until recv() on the upstream says EOF, with no byte left. */
bool wire_eof(struct wire *w, int ms);
/* Turns until the body's end was seen by the verdict; then takes over and waits until drained. */
bool wire_ended(struct wire *w, int ms);

#endif

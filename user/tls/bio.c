/* OpenSSL's view of the socket: send() without SIGPIPE, recv(), and the kernel's record layer where it
 * encrypts. */
#include "tls/context.h"
#include "tls/ktls.h"
#include <sys/socket.h>

static struct tls_io *io_of(BIO *b)
{
	return BIO_get_data(b);
}

static int settle(BIO *b, struct tls_io *io, bool reading)
{
	if (errno == EAGAIN || errno == EINTR) {
		if (reading)
			BIO_set_retry_read(b);
		else
			BIO_set_retry_write(b);
	} else {
		io->error = errno;
	}
	return -1;
}

static int on_read(BIO *b, char *to, int n)
{
	struct tls_io *io = io_of(b);
	ssize_t got;

	BIO_clear_retry_flags(b);
	if (io->stop)
		return -1;
	got = recv(io->fd, to, (size_t)n, 0);
	if (got < 0)
		return settle(b, io, true);
	if (!got)
		io->eof = true;
	return (int)got;
}

static int on_write(BIO *b, const char *from, int n)
{
	struct tls_io *io = io_of(b);
	ssize_t sent;

	BIO_clear_retry_flags(b);
	if (io->ktls_type)
		sent = ktls_send_record(io->fd, io->ktls_type, from, (size_t)n);
	else
		sent = send(io->fd, from, (size_t)n, MSG_NOSIGNAL);
	if (sent >= 0)
		io->ktls_type = 0;
	return sent < 0 ? settle(b, io, false) : (int)sent;
}

/* What OpenSSL's own socket BIO is told (include/internal/bio.h, not public in 3.0). */
enum { KTLS_SET = 72, KTLS_SET_TYPE = 74, KTLS_CLEAR_TYPE = 75 };

static long on_ctrl(BIO *b, int command, long number, void *p)
{
	struct tls_io *io = io_of(b);

	switch (command) {
	case KTLS_SET: /* receiving stays here */
		io->ktls_send = number && ktls_engage(io->fd, p) == 0;
		return io->ktls_send;
	case BIO_CTRL_GET_KTLS_SEND:
		return io->ktls_send;
	case KTLS_SET_TYPE:
		io->ktls_type = (unsigned char)number;
		return 0;
	case KTLS_CLEAR_TYPE:
		io->ktls_type = 0;
		return 0;
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DUP:
		return 1;
	case BIO_CTRL_EOF:
		return io->eof;
	default:
		return 0;
	}
}

static BIO_METHOD *method(void)
{
	static BIO_METHOD *m;

	if (m)
		return m;
	m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice socket");
	if (!m)
		return NULL;
	BIO_meth_set_read(m, on_read);
	BIO_meth_set_write(m, on_write);
	BIO_meth_set_ctrl(m, on_ctrl);
	return m;
}

BIO *io_bio_new(struct tls_io *io)
{
	BIO *b = method() ? BIO_new(method()) : NULL;

	if (!b)
		return NULL;
	BIO_set_data(b, io);
	BIO_set_init(b, 1);
	return b;
}

#include "tls/ktls.h"
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "tls/tls.h"

static bool allowed;

void tls_ktls_allow(bool on)
{
	allowed = on;
}

bool ktls_allowed(void)
{
	return allowed;
}

/* By the cipher; 0: none that the kernel has. */
static socklen_t info_size(const struct tls_crypto_info *info)
{
	switch (info->cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		return sizeof(struct tls12_crypto_info_aes_gcm_128);
	case TLS_CIPHER_AES_GCM_256:
		return sizeof(struct tls12_crypto_info_aes_gcm_256);
	case TLS_CIPHER_CHACHA20_POLY1305:
		return sizeof(struct tls12_crypto_info_chacha20_poly1305);
	default:
		return 0;
	}
}

int ktls_engage(int fd, const void *info)
{
	socklen_t size = info_size(info);

	if (!size)
		return -EOPNOTSUPP;
	if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", sizeof("tls")) && errno != EEXIST)
		return -errno;
	return setsockopt(fd, SOL_TLS, TLS_TX, info, size) ? -errno : 0;
}

ssize_t ktls_send_record(int fd, unsigned char type, const void *p, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(type))];
	} control = {0};
	struct iovec iov = {(void *)p, n};
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = &control.align;

	c->cmsg_level = SOL_TLS;
	c->cmsg_type = TLS_SET_RECORD_TYPE;
	c->cmsg_len = CMSG_LEN(sizeof(type));
	memcpy(CMSG_DATA(c), &type, sizeof(type));
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

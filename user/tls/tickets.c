/* Session ticket keys (RFC 5077 4, RFC 8446 4.6.1) in memory that master and workers share. The master alone
 * writes; a sequence number, odd while it does, tells a reader to look again. */
#include "tls/context.h"
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define NAME_BYTES 16

struct ticket_key {
	unsigned char name[NAME_BYTES]; /* in clear in each ticket */
	unsigned char aes[32], hmac[32];
};

struct tls_tickets {
	atomic_uint sequence;
	unsigned count;				 /* of keys that are set */
	struct ticket_key keys[TLS_TICKET_KEYS]; /* the newest first */
};

int tls_tickets_new(struct tls_tickets **ret)
{
	struct tls_tickets *t =
		mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (t == MAP_FAILED)
		return -errno;
	/* Neither in a core file nor on disk, where the system lets us. */
	(void)madvise(t, sizeof(*t), MADV_DONTDUMP);
	(void)mlock(t, sizeof(*t));
	err = tls_tickets_rotate(t);
	if (err) {
		tls_tickets_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void tls_tickets_free(struct tls_tickets *t)
{
	if (t)
		munmap(t, sizeof(*t));
}

int tls_tickets_rotate(struct tls_tickets *t)
{
	struct ticket_key fresh;

	if (RAND_bytes(fresh.name, sizeof(fresh.name)) != 1 ||
		RAND_priv_bytes(fresh.aes, sizeof(fresh.aes)) != 1 ||
		RAND_priv_bytes(fresh.hmac, sizeof(fresh.hmac)) != 1)
		return -EIO;
	atomic_fetch_add_explicit(&t->sequence, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	memmove(&t->keys[1], &t->keys[0], (TLS_TICKET_KEYS - 1) * sizeof(t->keys[0]));
	t->keys[0] = fresh;
	t->count = MIN(t->count + 1, (unsigned)TLS_TICKET_KEYS);
	atomic_fetch_add_explicit(&t->sequence, 1, memory_order_release);
	OPENSSL_cleanse(&fresh, sizeof(fresh));
	return 0;
}

/* `name` NULL: the newest. Its age in rotations, or -ENOENT. */
static int find(struct tls_tickets *t, const unsigned char *name, struct ticket_key *ret)
{
	unsigned before, after;
	int found;

	do {
		before = atomic_load_explicit(&t->sequence, memory_order_acquire);
		found = name ? -ENOENT : 0;
		*ret = t->keys[0];
		for (unsigned i = 0; name && i < MIN(t->count, (unsigned)TLS_TICKET_KEYS); i++)
			if (memcmp(t->keys[i].name, name, NAME_BYTES) == 0) {
				*ret = t->keys[i];
				found = (int)i;
				break;
			}
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&t->sequence, memory_order_relaxed);
	} while (before != after || before % 2);
	return found;
}

static bool start(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, sizeof(key->hmac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, encrypt) &&
	       EVP_MAC_CTX_set_params(mac, params);
}

/* 1: go on; 2: go on and give the client a new ticket; 0: a full handshake; -1: an error. A session that was
 * resumed gets a new ticket when its key is not the newest any more; in TLS 1.3 always, since a client uses
 * each once. */
int tickets_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_conn *c = SSL_get_app_data(ssl);
	struct ticket_key key;
	int age, ok;

	if (!c->server || !c->server->tickets)
		return encrypt ? -1 : 0;
	age = find(c->server->tickets, encrypt ? NULL : name, &key);
	if (age < 0)
		return 0;
	if (encrypt) {
		memcpy(name, key.name, NAME_BYTES);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	}
	ok = start(&key, iv, cipher, mac, encrypt);
	OPENSSL_cleanse(&key, sizeof(key));
	if (!ok)
		return -1;
	return !encrypt && (age || SSL_version(ssl) == TLS1_3_VERSION) ? 2 : 1;
}

/* tls/material.c, pack.c, expiry.c, self_signed.c. */
#include "tls_world.h"
#include "tls/material.h"
#include <time.h>

static struct settings *settings_of(const char *text)
{
	struct settings *s = NULL;
	struct buf errors = {0};

	if (settings_parse("t.yaml", slice_of(text), &s, &errors))
		fail_msg("%.*s", (int)errors.len, errors.data);
	return s;
}

static struct tls_material *self_signed(struct settings **ret_settings)
{
	struct proxy_options o = {
		.listen = "127.0.0.1:0", .to = "http://127.0.0.1:1", .tls_self_signed = true};
	struct buf errors = {0}, warnings = {0};
	struct tls_material *m;

	assert_int_equal(settings_from_options(&o, ret_settings, &errors), 0);
	assert_int_equal(tls_material_load(*ret_settings, &m, &errors, &warnings), 0);
	assert_int_equal(errors.len + warnings.len, 0);
	return m;
}

static void test_self_signed(void **state)
{
	struct tls_certificate_info info;
	struct settings *s;
	struct tls_material *m = self_signed(&s);
	int64_t days;

	(void)state;
	assert_int_equal(tls_material_certificates(m), 1);
	assert_int_equal(tls_material_certificate(m, s, 0, &info), 0);
	assert_string_equal(info.file, "self-signed");
	assert_int_equal(strncmp(info.names, "localhost", 9), 0);
	assert_int_equal(strlen(info.fingerprint), 64);
	days = (info.not_after - (int64_t)time(NULL) + 3600) / 86400;
	assert_in_range(days, 29, 30);
	assert_int_equal(tls_material_certificate(m, s, 1, &info), -ENOENT);
	tls_material_free(m);
	tls_material_free(NULL);
	settings_unref(s);
}

static bool same(const struct tls_bytes *a, const struct tls_bytes *b)
{
	return (a->p == NULL) == (b->p == NULL) && a->n == b->n && (!a->n || memcmp(a->p, b->p, a->n) == 0);
}

static void test_pack_and_unpack(void **state)
{
	struct settings *s;
	struct tls_material *m = self_signed(&s), *copy;
	struct buf bytes = {0};

	(void)state;
	assert_int_equal(tls_material_pack(m, &bytes), 0);
	assert_int_equal(tls_material_unpack(buf_slice(&bytes), &copy), 0);
	assert_int_equal(copy->nlisteners, 1);
	assert_int_equal(copy->nupstreams, 1);
	assert_true(same(&copy->listeners[0].pairs[0].certificate, &m->listeners[0].pairs[0].certificate));
	assert_true(same(&copy->listeners[0].pairs[0].key, &m->listeners[0].pairs[0].key));
	assert_null(copy->listeners[0].pairs[0].ocsp.p);
	tls_material_free(copy);
	/* Every cut is refused, and so is one byte more. */
	for (size_t n = 0; n < bytes.len; n++)
		assert_int_equal(tls_material_unpack((struct slice){bytes.data, n}, &copy), -EINVAL);
	assert_int_equal(buf_append(&bytes, "x", 1), 0);
	assert_int_equal(tls_material_unpack(buf_slice(&bytes), &copy), -EINVAL);
	buf_reset(&bytes);
	tls_material_free(m);
	settings_unref(s);
}

/* Any byte changed: refused or taken, never a crash (ASan looks on). */
static void test_unpack_of_damaged_bytes(void **state)
{
	struct settings *s;
	struct tls_material *m = self_signed(&s), *copy;
	struct buf bytes = {0};

	(void)state;
	assert_int_equal(tls_material_pack(m, &bytes), 0);
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.data[i] ^= (char)0xff;
		if (tls_material_unpack(buf_slice(&bytes), &copy) == 0)
			tls_material_free(copy);
		bytes.data[i] ^= (char)0xff;
	}
	buf_reset(&bytes);
	tls_material_free(m);
	settings_unref(s);
}

/* All mistakes are told, each with its file. */
static void test_files_that_cannot_be_read(void **state)
{
	static const char text[] =
		"listeners:\n"
		"- listen: 127.0.0.1:1\n"
		"  tls: {certificates: [{certificate: /nonexistent/a, key: /dev/null}, /etc]}\n"
		"upstreams:\n"
		"- {name: a, servers: \"a:1\", tls: {ca: /nonexistent/ca}}\n";
	struct settings *s = settings_of(text);
	struct buf errors = {0};
	struct tls_material *m = NULL;

	(void)state;
	assert_int_equal(tls_material_load(s, &m, &errors, NULL), -EINVAL);
	assert_null(m);
	assert_int_equal(buf_append(&errors, "", 1), 0);
	assert_string_equal(errors.data, "/nonexistent/a: cannot be read: No such file or directory\n"
					 "/dev/null: cannot be read: no regular file\n"
					 "/etc: cannot be read: no regular file\n"
					 "/nonexistent/ca: cannot be read: No such file or directory\n");
	buf_reset(&errors);
	settings_unref(s);
}

static void test_material_of_other_settings(void **state)
{
	struct settings *s, *other = settings_of("listeners: [127.0.0.1:1, 127.0.0.1:2]\n"
						 "upstreams: [{name: a, servers: \"a:1\"}]\n");
	struct tls_material *m = self_signed(&s);
	struct buf errors = {0};
	struct tls *t;

	(void)state;
	assert_int_equal(tls_new(other, m, NULL, &t, &errors), -EINVAL);
	buf_reset(&errors);
	tls_material_free(m);
	settings_unref(s);
	settings_unref(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_pack_and_unpack),
		cmocka_unit_test(test_unpack_of_damaged_bytes),
		cmocka_unit_test(test_files_that_cannot_be_read),
		cmocka_unit_test(test_material_of_other_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Reading the kernel's account of memory. */
#include "cmocka_first.h"
#include "../memory.h"
#include <sys/mman.h>

static void test_slab_lines(void **state)
{
	uint64_t sum = 0;

	(void)state;
	memory_add_slab("slabinfo - version: 2.1\n", &sum);
	memory_add_slab("# name            <active_objs> <num_objs> <objsize> <objperslab>\n", &sum);
	assert_int_equal(sum, 0);
	memory_add_slab(
		"TCP                  300    312   2496   13    8 : tunables    0    0    0 : slabdata\n",
		&sum);
	assert_int_equal(sum, 300 * 2496);
	memory_add_slab("ext4_inode_cache  100000 100000   1100   29    8 : tunables    0    0    0\n", &sum);
	memory_add_slab("inode_cache          900    900    632   25    4 : tunables    0    0    0\n", &sum);
	assert_int_equal(sum, 300 * 2496);
	memory_add_slab("sock_inode_cache     100    126    768   21    4 : tunables    0    0    0\n", &sum);
	assert_int_equal(sum, 300 * 2496 + 76800);
}

static void test_sockstat(void **state)
{
	uint64_t pages = 7;

	(void)state;
	assert_int_equal(
		memory_parse_sockstat(
			"sockets: used 17\nTCP: inuse 1 orphan 0 tw 1 alloc 1 mem 332\nUDP: inuse 0 mem 9\n",
			&pages),
		0);
	assert_int_equal(pages, 332);
	assert_int_equal(memory_parse_sockstat("TCP: inuse 1\nUDP: inuse 0 mem 9\n", &pages), -EINVAL);
	assert_int_equal(memory_parse_sockstat("", &pages), -EINVAL);
	assert_int_equal(pages, 332);
}

static void test_own_memory_is_found(void **state)
{
	struct memory_sample before, after;
	size_t size = 16 << 20;
	char *p;

	(void)state;
	assert_int_equal(memory_sample_take(&before, getpid()), 0);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	memset(p, 1, size);
	assert_int_equal(memory_sample_take(&after, getpid()), 0);
	assert_in_range(after.user - before.user, size - 65536, size + (1 << 20));
	assert_in_range(after.resident - before.resident, size - 65536, size + (1 << 20));
	assert_true(after.resident >= after.user);
	munmap(p, size);
	assert_int_equal(memory_sample_take(&after, 0), 0);
	assert_int_equal(after.user, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slab_lines),
		cmocka_unit_test(test_sockstat),
		cmocka_unit_test(test_own_memory_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

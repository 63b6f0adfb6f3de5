#include "main/privileges.h"
#include "base/log.h"
#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void privileges_raise_fds(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

int privileges_drop(const char *user)
{
	struct passwd *pw;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (geteuid() != 0 || strcmp(user, "root") == 0)
		return 0;
	pw = getpwnam(user);
	if (!pw) {
		log_error("user %s: there is no such user; name another with `user:` in the config, or root",
			user);
		return -ENOENT;
	}
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_change_id((int)pw->pw_uid, (int)pw->pw_gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING)) {
		log_error("cannot become user %s", user);
		return -EPERM;
	}
	/* setuid cleared it; a core file and /proc/PID belong to the operator all the same. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	return 0;
}

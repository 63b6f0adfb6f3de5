#include "load_job.h"
#include "base/clock.h"
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct load_job {
	struct load_settings settings;
	struct load_shared *shared;
	size_t shared_size;
	pid_t pids[LOAD_PROCESSES_MAX]; /* 0: ended and waited for */
};

static void child_run(struct load_job *job, unsigned index, pid_t parent)
{
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (getppid() != parent)
		_exit(1);
	if (job->settings.cpus)
		sched_setaffinity(0, sizeof(*job->settings.cpus), job->settings.cpus);
	err = load_worker_run(&job->settings, index, job->shared);
	_exit(err ? 1 : 0);
}

int load_job_start(const struct load_settings *settings, struct load_job **ret)
{
	struct load_job *job = calloc(1, sizeof(*job));
	size_t n = settings->processes, workers_size;
	pid_t parent = getpid();

	if (!job)
		return -ENOMEM;
	job->settings = *settings;
	workers_size = sizeof(*job->shared) + n * sizeof(job->shared->workers[0]);
	job->shared_size = workers_size;
	if (settings->mode == LOAD_ABORT)
		job->shared_size += settings->streams * sizeof(*job->shared->aborts);
	job->shared = mmap(NULL, job->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (job->shared == MAP_FAILED) {
		free(job);
		return -ENOMEM;
	}
	/* The same address in every process: they are forks. */
	job->shared->aborts = (_Atomic uint64_t *)((char *)job->shared + workers_size);
	for (unsigned i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			int err = -errno;

			load_job_free(job);
			return err;
		}
		if (pid == 0)
			child_run(job, i, parent);
		job->pids[i] = pid;
	}
	*ret = job;
	return 0;
}

void load_job_free(struct load_job *job)
{
	if (!job)
		return;
	for (size_t i = 0; i < job->settings.processes; i++) {
		if (!job->pids[i])
			continue;
		kill(job->pids[i], SIGKILL);
		waitpid(job->pids[i], NULL, 0);
	}
	munmap(job->shared, job->shared_size);
	free(job);
}

uint64_t load_job_settled(const struct load_job *job)
{
	uint64_t n = 0;

	for (size_t i = 0; i < job->settings.processes; i++)
		n += job->shared->workers[i].settled;
	return n;
}

uint64_t load_job_live_events(const struct load_job *job)
{
	uint64_t n = 0;

	for (size_t i = 0; i < job->settings.processes; i++)
		n += job->shared->workers[i].live_events;
	return n;
}

int load_job_check(struct load_job *job)
{
	int err = 0, status;

	for (size_t i = 0; i < job->settings.processes; i++) {
		if (!job->pids[i] || waitpid(job->pids[i], &status, WNOHANG) != job->pids[i])
			continue;
		job->pids[i] = 0;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			err = -ECHILD;
	}
	return err;
}

void load_job_measure(struct load_job *job, double seconds)
{
	uint64_t now = clock_mono_ns();

	job->shared->stop_ns = now + (uint64_t)(seconds * (double)NS_PER_S);
	job->shared->start_ns = now;
}

void load_job_pause(struct load_job *job, double seconds)
{
	uint64_t now = clock_mono_ns();

	job->shared->pause_stop_ns = now + (uint64_t)(seconds * (double)NS_PER_S);
	job->shared->pause_start_ns = now;
}

static void add_up(struct load_result *sum, const struct load_result *one)
{
	sum->opened += one->opened;
	sum->failed += one->failed;
	sum->ended += one->ended;
	sum->silent += one->silent;
	sum->events += one->events;
	sum->bytes += one->bytes;
	sum->lost += one->lost;
	sum->repeated += one->repeated;
	sum->damaged += one->damaged;
	sum->comments += one->comments;
	sum->setups += one->setups;
	sum->cut += one->cut;
	if (one->open_first_ns && (!sum->open_first_ns || one->open_first_ns < sum->open_first_ns))
		sum->open_first_ns = one->open_first_ns;
	sum->open_last_ns = MAX(sum->open_last_ns, one->open_last_ns);
	hist_merge(&sum->latency, &one->latency);
	hist_merge(&sum->head, &one->head);
	hist_merge(&sum->connect, &one->connect);
	hist_merge(&sum->pause, &one->pause);
	if (!sum->why[0])
		memcpy(sum->why, one->why, sizeof(sum->why));
}

uint64_t load_job_aborted(const struct load_job *job, uint64_t tag)
{
	return job->settings.mode == LOAD_ABORT && tag && tag <= job->settings.streams
		       ? job->shared->aborts[tag - 1]
		       : 0;
}

int load_job_finish(struct load_job *job, struct load_result *ret)
{
	bool second = job->settings.pause;
	uint64_t stop = second ? job->shared->pause_stop_ns : job->shared->stop_ns, now = clock_mono_ns();
	uint64_t deadline = MAX(stop, now) + LOAD_DRAIN_NS + 5 * NS_PER_S;
	bool running = true;

	if (!stop)
		job->shared->quit = true;
	while (running) {
		int err = load_job_check(job);

		if (err)
			return err;
		running = false;
		for (size_t i = 0; i < job->settings.processes; i++)
			running |= job->pids[i] != 0;
		if (running && clock_mono_ns() > deadline)
			return -ETIMEDOUT;
		if (running)
			poll(NULL, 0, 10);
	}
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < job->settings.processes; i++)
		add_up(ret, &job->shared->workers[i].result);
	return 0;
}

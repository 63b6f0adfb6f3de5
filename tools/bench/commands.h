/* The subcommands of sluice-bench. Each gets argv from its own name on and returns the exit status: 0 as
 * wished, 1 the run failed, 2 the command line was wrong. */
#ifndef SLUICE_BENCH_COMMANDS_H
#define SLUICE_BENCH_COMMANDS_H

int command_origin(int argc, char **argv);
int command_load(int argc, char **argv);
int command_watch(int argc, char **argv);
int command_compare(int argc, char **argv);
int command_scale(int argc, char **argv);
int command_plots(int argc, char **argv);

#endif

/* The subcommands of `sluice`. Each gets its own name as argv[0] and returns the exit status: 0, 1 for what
 * went wrong, 2 for a command line that makes no sense. */
#ifndef SLUICE_MAIN_COMMANDS_H
#define SLUICE_MAIN_COMMANDS_H

int command_proxy(int argc, char **argv);
int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_probe(int argc, char **argv);

#endif

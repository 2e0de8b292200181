/* SPDX-License-Identifier: MIT */
/* The environment: the commands, and only they, read STOA_* variables. */
#ifndef STOA_CLI_ENVIRONMENT_H
#define STOA_CLI_ENVIRONMENT_H

#include <stdbool.h>
#include <stoa/context.h>

/* Make OpenBLAS use this core, or, where it is NULL, the one that suits the CPU: the process executes itself
 * once more with OPENBLAS_CORETYPE set. Returns when there is nothing to do or nothing that can be done. */
void cli_environment_choose_blas(char **arguments, const char *wanted);

/* True when the core in use was chosen that way, and not by OpenBLAS or the user. */
bool cli_environment_chose_blas(void);

/* Fill in what STOA_CPU, STOA_THREADS and STOA_POLICY ask for. CLI_DONE, or CLI_WRONG with the sentence
 * printed. */
int cli_environment_read(stoa_context_options *options);

/* Set what STOA_TUNING and STOA_CONV ask for. The same results. */
int cli_environment_set(stoa_context *context);

/* Put something in the place of standard files that are closed. */
void cli_environment_occupy_standard_files(void);

#endif

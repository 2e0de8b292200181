/* SPDX-License-Identifier: MIT */
/* Processes that answer lines. */
#include "bench/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "bench/bench.h"
#include "cli/signals.h"

/* In the child: pipes become its standard streams. */
__attribute__((noreturn)) static void become(char **command, int in, int out) {
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
        (void)execvp(command[0], command);
    }
    _exit(errno == ENOENT ? 127 : 126);
}

bool bench_process_start(struct bench_process *process, char **command) {
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    bool good = pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0;
    process->pid = good ? fork() : -1;
    if (process->pid == 0) {
        become(command, to[0], from[1]);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    process->to = fdopen(to[1], "w");
    process->from = fdopen(from[0], "r");
    return process->pid > 0 && process->to && process->from;
}

void bench_process_stop(struct bench_process *process) {
    if (process->to) {
        (void)fclose(process->to); /* which is how it is told to end */
    }
    if (process->pid > 0) {
        (void)kill(process->pid, SIGCONT);
        (void)waitpid(process->pid, NULL, 0);
    }
    if (process->from) {
        (void)fclose(process->from);
    }
    *process = (struct bench_process){0};
}

char *bench_process_line(const struct bench_process *process) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    do {
        clearerr(process->from); /* of a signal: else it would be told again for ever */
        length = getline(&line, &room, process->from);
    } while (length < 0 && errno == EINTR && !feof(process->from) && !cli_stop_signal());
    if (length <= 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

bool bench_process_numbers(const char *line, size_t count, double *numbers) {
    char *end = NULL;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = strtod(line, &end);
        if (end == line) {
            return false;
        }
        line = end;
    }
    return *line == '\0';
}

void bench_process_rest(const struct bench_process *process, bool rests) {
    (void)kill(process->pid, rests ? SIGSTOP : SIGCONT);
}

char *bench_process_ask(const struct bench_process *process, const char *question) {
    bench_process_rest(process, false);
    bool asked = fprintf(process->to, "%s\n", question) > 0 && fflush(process->to) == 0;
    char *line = asked ? bench_process_line(process) : NULL;
    bench_process_rest(process, true);
    return line;
}

int bench_process_code(struct bench_process *process, const char *what, const char *option,
                       const char *program) {
    int status = 0;
    if (waitpid(process->pid, &status, 0) != process->pid) {
        return cli_fail(CLI_FAILED, "%s: %s", what, strerror(errno));
    }
    process->pid = 0;
    bool missing = WIFEXITED(status) && WEXITSTATUS(status) >= 126;
    bool told = WIFEXITED(status) && WEXITSTATUS(status) == CLI_WRONG;
    return missing ? cli_fail(CLI_WRONG, "%s: cannot run '%s'", option, program)
           : told  ? CLI_WRONG
                   : cli_fail(CLI_FAILED, "%s: it ended without an answer", what);
}

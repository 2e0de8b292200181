/* SPDX-License-Identifier: MIT */
/* Another engine in a process of its own, which bench/peers/latency.py is. Between its turns it is stopped,
 * so that threads that look for more work take no CPU from the others. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "bench/latency.h"

static const char *const known[] = {"pytorch", "onnxruntime"};
enum { KNOWN = sizeof known / sizeof known[0] };

struct bench_peer_process {
    const char *name; /* of --peer */
    char *engine, *way;
    pid_t process;
    FILE *to, *from;
    size_t threads;
};

const char *bench_peer_name(size_t index) {
    return index < KNOWN ? known[index] : NULL;
}

/* The part of `names` at *at, up to a comma; its length. */
static size_t next_name(const char *names, size_t *at) {
    size_t length = strcspn(names + *at, ",");
    *at += length + (names[*at + length] == ',');
    return length;
}

static bool is_name(const char *text, size_t length, const char *name) {
    return strlen(name) == length && strncmp(text, name, length) == 0;
}

bool bench_peer_is_named(const char *names, const char *name) {
    for (size_t at = 0; names && names[at];) {
        const char *text = names + at;
        size_t length = next_name(names, &at);
        if (is_name(text, length, name) || is_name(text, length, "all")) {
            return true;
        }
    }
    return false;
}

int bench_peer_names_check(const char *names) {
    for (size_t at = 0; names && names[at];) {
        const char *text = names + at;
        size_t length = next_name(names, &at), which = 0;
        while (which < KNOWN && !is_name(text, length, known[which])) {
            which++;
        }
        if (which == KNOWN && !is_name(text, length, "all")) {
            return cli_fail(CLI_WRONG,
                            "--peer: found '%.*s', expected pytorch, onnxruntime, both with a comma or all",
                            (int)length, text);
        }
    }
    return CLI_DONE;
}

/* A line of the peer's without its end, from malloc; NULL when it has ended. */
static char *read_line(const struct bench_peer_process *peer) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    do {
        length = getline(&line, &room, peer->from);
    } while (length < 0 && errno == EINTR && !feof(peer->from));
    if (length <= 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

/* `count` numbers of a line; false when there are fewer or more. */
static bool read_numbers(const char *line, size_t count, double *numbers) {
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

/* In the child: pipes become its standard streams, and it ends with the bench however that ends. */
__attribute__((noreturn)) static void become(char **command, int in, int out) {
#ifdef __linux__
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0) {
        (void)execvp(command[0], command);
    }
    _exit(errno == ENOENT ? 127 : 126);
}

static bool start_process(struct bench_peer_process *peer, char **command) {
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    bool good = pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0;
    peer->process = good ? fork() : -1;
    if (peer->process == 0) {
        become(command, to[0], from[1]);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    peer->to = fdopen(to[1], "w");
    peer->from = fdopen(from[0], "r");
    return peer->process > 0 && peer->to && peer->from;
}

/* What the peer says of itself, and that it computes the same. */
static int shake_hands(struct bench_peer_process *peer, const struct bench_network *network) {
    peer->engine = read_line(peer);
    peer->way = peer->engine ? read_line(peer) : NULL;
    char *line = peer->way ? read_line(peer) : NULL;
    if (!line) {
        return CLI_WRONG; /* it has said why */
    }
    double *numbers = cli_allocate(network->outputs, sizeof *numbers);
    float *output = cli_allocate(network->outputs, sizeof *output);
    bool good = read_numbers(line, network->outputs, numbers);
    for (size_t i = 0; i < network->outputs; i++) {
        output[i] = (float)numbers[i];
    }
    good = good && bench_network_agrees(network, output);
    free(numbers);
    free(output);
    free(line);
    return good ? CLI_DONE
                : cli_fail(CLI_FAILED, "--peer %s: its outputs of '%s' are not Stoa's: the networks differ",
                           peer->name, network->name);
}

int bench_peer_start(const struct bench *bench, const char *name, const struct bench_network *network,
                     size_t threads, struct bench_peer_process **out) {
    struct bench_peer_process *peer = *out = cli_allocate(1, sizeof *peer);
    peer->name = name;
    peer->threads = threads;
    const char *python = bench->options.python ? bench->options.python : "python3";
    char *command[] = {cli_text("%s", python),
                       cli_text("-B"),
                       cli_text("-Wignore"),
                       bench_shipped_script("latency.py"),
                       cli_text("%s", name),
                       cli_text("%s", network->folder),
                       cli_text("%zu", threads),
                       cli_text("%zu", bench_flush_bytes()),
                       NULL};
    bool started = start_process(peer, command);
    int code =
        started ? shake_hands(peer, network) : cli_fail(CLI_FAILED, "--peer %s: %s", name, strerror(errno));
    int status = 0;
    if (code == CLI_WRONG && waitpid(peer->process, &status, 0) == peer->process) {
        peer->process = 0;
        bool missing = WIFEXITED(status) && WEXITSTATUS(status) >= 126;
        bool told = WIFEXITED(status) && WEXITSTATUS(status) == CLI_WRONG;
        code = missing ? cli_fail(CLI_WRONG, "--python: cannot run '%s'", python)
               : told  ? CLI_WRONG
                       : cli_fail(CLI_FAILED, "--peer %s: %s ended without an answer", name, command[3]);
    }
    for (size_t i = 0; i < sizeof command / sizeof *command; i++) {
        free(command[i]);
    }
    if (code == CLI_DONE) {
        (void)kill(peer->process, SIGSTOP);
    }
    return code;
}

void bench_peer_stop(struct bench_peer_process *peer) {
    if (!peer) {
        return;
    }
    if (peer->to) {
        (void)fclose(peer->to); /* which is how it is told to end */
    }
    if (peer->process > 0) {
        (void)kill(peer->process, SIGCONT);
        (void)waitpid(peer->process, NULL, 0);
    }
    if (peer->from) {
        (void)fclose(peer->from);
    }
    free(peer->engine);
    free(peer->way);
    free(peer);
}

static int measure(void *self, enum bench_caches caches, size_t count, double *seconds) {
    const struct bench_peer_process *peer = self;
    (void)kill(peer->process, SIGCONT);
    bool asked = fprintf(peer->to, "%s %zu\n", caches == BENCH_COLD ? "cold" : "warm", count) > 0 &&
                 fflush(peer->to) == 0;
    char *line = asked ? read_line(peer) : NULL;
    (void)kill(peer->process, SIGSTOP);
    bool good = line && read_numbers(line, count, seconds);
    for (size_t i = 0; good && i < count; i++) {
        seconds[i] *= 1e-9;
    }
    free(line);
    return good ? CLI_DONE : cli_fail(CLI_FAILED, "--peer %s: it ended without an answer", peer->name);
}

struct bench_engine bench_peer_engine(struct bench_peer_process *peer, size_t threads) {
    return (struct bench_engine){
        .name = peer->engine, .way = peer->way, .threads = threads, .self = peer, .measure = measure};
}

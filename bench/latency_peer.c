/* SPDX-License-Identifier: MIT */
/* Another engine in a process of its own, which bench/peers/latency.py is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/latency.h"
#include "bench/process.h"

static const char *const known[] = {"pytorch", "onnxruntime"};
enum { KNOWN = sizeof known / sizeof known[0] };

struct bench_peer_process {
    const char *name; /* of --peer */
    char *engine, *way;
    struct bench_process process;
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

/* What the peer says of itself, and that it computes the same. */
static int shake_hands(struct bench_peer_process *peer, const struct bench_network *network) {
    peer->engine = bench_process_line(&peer->process);
    peer->way = peer->engine ? bench_process_line(&peer->process) : NULL;
    char *line = peer->way ? bench_process_line(&peer->process) : NULL;
    if (!line) {
        return CLI_WRONG; /* it has said why */
    }
    double *numbers = cli_allocate(network->outputs, sizeof *numbers);
    float *output = cli_allocate(network->outputs, sizeof *output);
    bool good = bench_process_numbers(line, network->outputs, numbers);
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
    bool started = bench_process_start(&peer->process, command);
    char *what = cli_text("--peer %s", name);
    int code = started ? shake_hands(peer, network) : cli_fail(CLI_FAILED, "%s: %s", what, strerror(errno));
    if (code == CLI_WRONG) {
        code = bench_process_code(&peer->process, what, "--python", python);
    }
    free(what);
    for (size_t i = 0; i < sizeof command / sizeof *command; i++) {
        free(command[i]);
    }
    if (code == CLI_DONE) {
        bench_process_rest(&peer->process, true);
    }
    return code;
}

void bench_peer_stop(struct bench_peer_process *peer) {
    if (!peer) {
        return;
    }
    bench_process_stop(&peer->process);
    free(peer->engine);
    free(peer->way);
    free(peer);
}

static int measure(void *self, enum bench_caches caches, size_t count, double *seconds) {
    const struct bench_peer_process *peer = self;
    char *question = cli_text("%s %zu", caches == BENCH_COLD ? "cold" : "warm", count);
    char *line = bench_process_ask(&peer->process, question);
    free(question);
    bool good = line && bench_process_numbers(line, count, seconds);
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

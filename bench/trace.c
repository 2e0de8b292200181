/* SPDX-License-Identifier: MIT */
/* Chrome's trace event format: an object with an array of events, of which two kinds are written, names of
 * processes and threads ("M") and what has a begin and a duration ("X"), in microseconds. A run of
 * stoa-bench's is a process there. */
#include "bench/trace.h"

#include <stdlib.h>

enum { STEPS = 8 }; /* of a run that are written */

/* Adds events of one process, whose clock begins with `start`. */
struct writer {
    json_t *events;
    size_t process;
    double start;
};

/* An event of a process; threads and times are added by those that have some. */
static json_t *add_event(const struct writer *writer, const char *kind, const char *name, size_t thread) {
    json_t *event = cli_json_object(), *arguments = cli_json_object();
    cli_json_set(event, "ph", cli_json_text(kind));
    cli_json_set(event, "name", cli_json_text(name));
    cli_json_set(event, "pid", cli_json_count(writer->process));
    cli_json_set(event, "tid", cli_json_count(thread));
    cli_json_set(event, "args", arguments);
    cli_json_append(writer->events, event);
    return event;
}

static void add_name(const struct writer *writer, const char *what, const char *name, size_t thread) {
    json_t *event = add_event(writer, "M", what, thread);
    cli_json_set(json_object_get(event, "args"), "name", cli_json_text(name));
}

static json_t *add_span(const struct writer *writer, const char *name, const char *category, size_t thread,
                        double begin, double end) {
    json_t *event = add_event(writer, "X", name, thread);
    cli_json_set(event, "cat", cli_json_text(category));
    cli_json_set(event, "ts", cli_json_number(1e6 * (begin - writer->start)));
    cli_json_set(event, "dur", cli_json_number(1e6 * (end - begin)));
    return json_object_get(event, "args");
}

static void add_part(const struct writer *writer, const struct bench_watch *watch,
                     const struct bench_event *event) {
    struct bench_part_name part = bench_watch_name(watch, event->part);
    char *name = cli_text("%s%s%s", part.layer, *part.pass ? " " : "", part.pass);
    json_t *about = add_span(writer, name, part.op, event->thread, event->begin, event->end);
    free(name);
    if (*part.pass) {
        cli_json_set(about, "layer", cli_json_text(part.layer));
        cli_json_set(about, "operator", cli_json_text(part.op));
        cli_json_set(about, "pass", cli_json_text(part.pass));
        cli_json_set(about, "first", cli_json_count(event->first));
        cli_json_set(about, "samples", cli_json_count(event->samples));
    }
}

static void add_process(const struct writer *writer, const char *name, size_t threads) {
    add_name(writer, "process_name", name, 0);
    for (size_t i = 0; i < threads; i++) {
        char *thread = i == 0 ? cli_text("thread 0, the caller") : cli_text("thread %zu", i);
        add_name(writer, "thread_name", thread, i);
        free(thread);
    }
}

void bench_trace_add(struct bench *bench, const char *name, const struct bench_case *one,
                     struct bench_watch *watch) {
    struct writer writer = {bench->trace, ++bench->traced, 0};
    double begin[STEPS + 1];
    /* How many events a step has follows from the plan; one step is counted. */
    bench_watch_reset(watch, NULL, 0);
    one->run(one->argument);
    size_t room = STEPS * atomic_load(&watch->events);
    struct bench_event *event = cli_allocate(room, sizeof *event);
    bench_watch_reset(watch, event, room);
    for (size_t i = 0; i < STEPS; i++) {
        begin[i] = bench_now();
        one->run(one->argument);
    }
    begin[STEPS] = bench_now();
    writer.start = begin[0];
    add_process(&writer, name, watch->threads);
    for (size_t i = 0; i < STEPS; i++) {
        (void)add_span(&writer, "step", "step", 0, begin[i], begin[i + 1]);
    }
    for (size_t i = 0; i < room; i++) {
        add_part(&writer, watch, &event[i]);
    }
    free(event);
}

int bench_trace_write(const struct bench *bench) {
    if (!bench->options.trace) {
        return CLI_DONE;
    }
    json_t *all = cli_json_object();
    cli_json_set(all, "traceEvents", json_incref(bench->trace));
    cli_json_set(all, "displayTimeUnit", cli_json_text("ns"));
    cli_json_set(all, "otherData", json_incref(bench->about));
    char *text = cli_json_line(all);
    json_decref(all);
    int code = bench_file_write("trace", bench->options.trace, text);
    free(text);
    return code;
}

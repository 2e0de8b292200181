/* SPDX-License-Identifier: MIT */
/* What the system says about this machine: CPU, quota of the control group, load, frequency, huge pages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "core/machine.h"
#include "core/threads.h"

/* Enough for the first CPU of /proc/cpuinfo, and for any list of control groups. */
enum { TEXT = 8192, PATH = 4352 };

/* Read a text file, cut to fit; false and "" when there is none. The files of /proc have no size to ask. */
static bool read_text(const char *path, char *text, size_t bytes) {
    text[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t length = fread(text, 1, bytes - 1, file);
    text[length] = '\0';
    (void)fclose(file);
    return length > 0;
}

/* A number at the start of a text, before white space or the end; negative when there is none. */
static double number_at(const char *text) {
    double value;
    return stoa_parse_double(text, strcspn(text, " \t\n"), &value) ? value : -1;
}

static double number_in(const char *path) {
    char text[64];
    return read_text(path, text, sizeof text) ? number_at(text) : -1;
}

static double quota_of(double time, double period) {
    return time > 0 && period > 0 ? time / period : -1;
}

double stoa_quota_v2(const char *cpu_max) {
    const char *period = strchr(cpu_max, ' ');
    return period ? quota_of(number_at(cpu_max), number_at(period + 1)) : -1; /* "max 100000": no limit */
}

double stoa_quota_v1(const char *quota, const char *period) {
    return quota_of(number_at(quota), number_at(period)); /* -1: no limit */
}

static double quota_in(const char *folder) {
    char path[PATH + 32];
    char quota[64];
    char period[64];
    (void)snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_text(path, quota, sizeof quota)) {
        return stoa_quota_v2(quota);
    }
    (void)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
    bool found = read_text(path, quota, sizeof quota);
    (void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    return found && read_text(path, period, sizeof period) ? stoa_quota_v1(quota, period) : -1;
}

static double least(double a, double b) {
    if (a < 0 || b < 0) {
        return a < 0 ? b : a;
    }
    return a < b ? a : b;
}

/* From root/group up to the root itself. In a container the group's path may lie outside of what is mounted:
 * its folders are then not there, and the root is the group. */
static double quota_upwards(const char *root, const char *controllers, const char *group) {
    char folder[PATH];
    int length =
        snprintf(folder, sizeof folder, "%s%s%s%s", root, controllers[0] ? "/" : "", controllers, group);
    if (length < 0 || (size_t)length >= sizeof folder) {
        return -1;
    }
    size_t top = strlen(root) + (controllers[0] ? 1 + strlen(controllers) : 0);
    double quota = quota_in(folder);
    for (char *slash = strrchr(folder, '/'); slash && slash >= folder + top; slash = strrchr(folder, '/')) {
        *slash = '\0';
        quota = least(quota, quota_in(folder));
    }
    return quota;
}

/* Whether "cpu" is in a list like "cpu,cpuacct". */
static bool names_cpu(const char *list) {
    for (const char *word = list; *word;) {
        size_t length = strcspn(word, ",");
        if (length == 3 && strncmp(word, "cpu", length) == 0) {
            return true;
        }
        word += length + (word[length] == ',');
    }
    return false;
}

/* One line: "0::/group" for version 2, "4:cpu,cpuacct:/group" for version 1. */
static double quota_of_line(const char *root, char *line) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) {
        return -1;
    }
    *controllers++ = '\0';
    *group++ = '\0';
    if (controllers[0] == '\0') {
        return least(quota_upwards(root, "", group), quota_upwards(root, "unified", group));
    }
    if (!names_cpu(controllers)) {
        return -1;
    }
    return least(quota_upwards(root, controllers, group), quota_upwards(root, "cpu", group));
}

double stoa_quota_find(const char *root, const char *membership) {
    double quota = -1;
    while (*membership) {
        char line[PATH / 2];
        size_t length = strcspn(membership, "\n");
        if (length < sizeof line) {
            memcpy(line, membership, length);
            line[length] = '\0';
            quota = least(quota, quota_of_line(root, line));
        }
        membership += length + (membership[length] == '\n');
    }
    return quota;
}

double stoa_quota(void) {
    char text[TEXT];
    (void)read_text("/proc/self/cgroup", text, sizeof text);
    return stoa_quota_find("/sys/fs/cgroup", text);
}

void stoa_cpuinfo_value(const char *text, const char *name, char *value, size_t bytes) {
    size_t known = strlen(name);
    value[0] = '\0';
    for (const char *line = text; *line;) {
        const char *end = line + strcspn(line, "\n");
        const char *colon = strncmp(line, name, known) == 0 ? line + known + strspn(line + known, " \t") : "";
        if (*colon == ':') {
            const char *start = colon + 1 + strspn(colon + 1, " \t");
            (void)snprintf(value, bytes, "%.*s", (int)(end - start), start);
            return;
        }
        line = end + (*end == '\n');
    }
}

void stoa_chosen_word(const char *text, char *value, size_t bytes) {
    const char *start = strchr(text, '[');
    const char *end = start ? strchr(start, ']') : NULL;
    (void)snprintf(value, bytes, "%.*s", end ? (int)(end - start - 1) : 0, end ? start + 1 : "");
}

static double frequency_in(const char *path) {
    double kilohertz = number_in(path);
    return kilohertz > 0 ? kilohertz / 1000 : -1;
}

void stoa_machine_describe(stoa_machine_state *state) {
    static const char frequency[] = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq";
    static const char most[] = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq";
    char text[TEXT];
    char megahertz[32];
    *state = (stoa_machine_state){.cpus = (int)stoa_cpu_count()};
    (void)read_text("/proc/cpuinfo", text, sizeof text);
    stoa_cpuinfo_value(text, "model name", state->cpu_model, sizeof state->cpu_model);
    stoa_cpuinfo_value(text, "cpu MHz", megahertz, sizeof megahertz);
    state->frequency_mhz = frequency_in(frequency);
    if (state->frequency_mhz < 0) {
        state->frequency_mhz = number_at(megahertz);
    }
    state->max_frequency_mhz = frequency_in(most);
    (void)read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text);
    stoa_chosen_word(text, state->huge_pages, sizeof state->huge_pages);
    state->cpu_quota = stoa_quota();
    if (getloadavg(&state->load, 1) != 1) {
        state->load = -1;
    }
}

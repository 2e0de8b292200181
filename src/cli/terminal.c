/* SPDX-License-Identifier: MIT */
/* What the standard output can show: how wide it is, letters beyond ASCII, colours. Public headers only. */
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/arguments.h"

enum { WIDTH = 80, MOST_WIDTH = 160 };

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* Whether letters beyond ASCII are shown, and braille among them, which the console of Linux has none of. */
static bool shows_unicode(void) {
    const char *locale = setting("LC_ALL");
    locale = locale ? locale : setting("LC_CTYPE");
    locale = locale ? locale : setting("LANG");
    const char *terminal = setting("TERM");
    return locale && (strcasestr(locale, "utf-8") || strcasestr(locale, "utf8")) &&
           !(terminal && strcmp(terminal, "linux") == 0);
}

static size_t width_of_terminal(void) {
    struct winsize size;
    uint64_t columns;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    const char *text = setting("COLUMNS");
    return text && cli_read_count(text, 1, 100000, &columns) ? (size_t)columns : WIDTH;
}

struct report_terminal cli_terminal(void) {
    const char *terminal = setting("TERM");
    size_t width = width_of_terminal();
    return (struct report_terminal){.width = width > MOST_WIDTH ? MOST_WIDTH : width,
                                    .unicode = shows_unicode(),
                                    .colour = isatty(STDOUT_FILENO) && !setting("NO_COLOR") && terminal &&
                                              strcmp(terminal, "dumb") != 0};
}

/* SPDX-License-Identifier: MIT */
/* What the standard output can show: how wide it is, letters beyond ASCII, colours. Public headers only. */
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/table.h"

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

struct report_terminal cli_terminal(void) {
    const char *terminal = setting("TERM");
    size_t known = cli_terminal_columns(), width = known > 0 ? known : WIDTH;
    return (struct report_terminal){.width = width > MOST_WIDTH ? MOST_WIDTH : width,
                                    .unicode = shows_unicode(),
                                    .colour = isatty(STDOUT_FILENO) && !setting("NO_COLOR") && terminal &&
                                              strcmp(terminal, "dumb") != 0};
}

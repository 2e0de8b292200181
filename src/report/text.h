/* SPDX-License-Identifier: MIT */
/* Lines drawn with letters: in a terminal, in a log, over a slow connection. */
#ifndef STOA_REPORT_TEXT_H
#define STOA_REPORT_TEXT_H

#include "report/chart.h"

struct report_terminal {
    size_t width;  /* columns; fewer than 30 are taken as 30, more than 300 as 300 */
    size_t height; /* rows of the drawing inside its axes; 0: 12 */
    bool unicode;  /* braille dots, eight a cell, and lines; else ASCII, a letter a cell */
    bool colour;   /* ANSI colours */
};

/* The lines as text: a title with the key, the drawing with its axes, and the label of x. Every line of text
 * ends with a newline and is at most `width` columns wide, its colours left aside. Each of several lines
 * carries its letter, so that they are told apart without colour. Names may be anything: what could steer a
 * terminal becomes '?'. */
void report_lines_text(struct report_out *out, const char *title, const struct report_lines *lines,
                       const struct report_terminal *terminal);

#endif

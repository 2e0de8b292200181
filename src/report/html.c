/* SPDX-License-Identifier: MIT */
/* The shell of a page, and its style. */
#include "report/html.h"

#include <string.h>

static const char style[] =
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%}\n"
    "body{margin:0 auto;padding:1rem clamp(.8rem,3vw,2.5rem) 3rem;max-width:82rem;background:var(--bg);"
    "color:var(--ink);font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,Helvetica,Arial,sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.2;margin:.6rem 0 .2rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.2rem;margin:2.2rem 0 .8rem;padding-bottom:.25rem;border-bottom:1px solid var(--grid)}\n"
    "h3{font-size:1rem;margin:1.4rem 0 .4rem}\n"
    "p{margin:.5rem 0;max-width:46rem}\n"
    ".note,figcaption,caption,footer,summary{color:var(--dim)}\n"
    "a{color:var(--s1)}\n"
    ":focus-visible{outline:3px solid var(--s1);outline-offset:2px;border-radius:3px}\n"
    "nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.6rem 0}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));"
    "gap:1rem;align-items:start}\n"
    "figure{margin:0;padding:.7rem .7rem .4rem;background:var(--panel);border:1px solid var(--grid);"
    "border-radius:.5rem;min-width:0}\n"
    "figure>h3{margin:0 0 .3rem}\n"
    "figure .chart{display:block;width:100%;max-width:32rem;margin:0 auto;height:auto;--bg:var(--panel)}\n"
    "figcaption{font-size:.875rem}\n"
    "summary{cursor:pointer;font-size:.8125rem;padding:.2rem 0}\n"
    ".scroll{overflow-x:auto;max-width:100%}\n"
    "details .scroll{max-height:22rem;overflow:auto}\n"
    "table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;font-size:.8125rem;padding:.2rem .5rem}\n"
    "th,td{padding:.2rem .6rem;text-align:left;border-bottom:1px solid var(--grid);white-space:nowrap}\n"
    ".numbers td,.r{text-align:right}\n"
    "th{font-weight:600}\n"
    "pre{overflow:auto;padding:.7rem;background:var(--panel);border:1px solid var(--grid);"
    "border-radius:.5rem;font-size:.8125rem;line-height:1.4}\n"
    "footer{margin-top:2.5rem;font-size:.8125rem}\n"
    "@media print{body{max-width:none;padding:0;font-size:10pt}nav,summary,details:not([open]){display:none}"
    "figure,tr{break-inside:avoid}h2,h3{break-after:avoid}figure{border-color:#ccc}"
    ".figures{grid-template-columns:1fr 1fr}.scroll,pre{overflow:visible;max-height:none}"
    "pre{white-space:pre-wrap}}\n";

void report_html_begin(struct report_out *out, const char *title, const char *note, const char *more_style) {
    report_put(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                    "<meta name=\"color-scheme\" content=\"light dark\">\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                    "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
                    "<link rel=\"icon\" href=\"data:,\">\n<title>");
    report_escape(out, title);
    report_put(out, "</title>\n<style>\n");
    report_chart_style(out);
    report_put(out, style);
    report_put(out, more_style ? more_style : "");
    report_put(out, "</style>\n</head>\n<body>\n<header>\n<h1>");
    report_escape(out, title);
    report_put(out, "</h1>\n");
    if (note) {
        report_put(out, "<p class=\"note\">");
        report_escape(out, note);
        report_put(out, "</p>\n");
    }
    report_put(out, "</header>\n<main>\n");
}

void report_html_end(struct report_out *out, const char *footer) {
    report_put(out, "</main>\n");
    if (footer) {
        report_put(out, "<footer>");
        report_escape(out, footer);
        report_put(out, "</footer>\n");
    }
    report_put(out, "</body>\n</html>\n");
}

void report_html_section(struct report_out *out, const char *id, const char *heading) {
    report_print(out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">", id, id);
    report_escape(out, heading);
    report_put(out, "</h2>\n");
}

void report_html_section_end(struct report_out *out) {
    report_put(out, "</section>\n");
}

void report_html_figures(struct report_out *out) {
    report_put(out, "<div class=\"figures\">\n");
}

void report_html_figures_end(struct report_out *out) {
    report_put(out, "</div>\n");
}

/* What can be scrolled can be reached by the keyboard, and says what it is. */
static void begin_scroll(struct report_out *out, const char *what) {
    report_put(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"");
    report_escape(out, what);
    report_put(out, "\">\n");
}

void report_html_chart(struct report_out *out, const struct report_chart *chart, const char *caption) {
    report_print(out, "<figure id=\"%s-figure\">\n<h3>", chart->id);
    report_escape(out, chart->title);
    report_put(out, "</h3>\n");
    report_chart_svg(out, chart);
    if (caption) {
        report_put(out, "<figcaption>");
        report_escape(out, caption);
        report_put(out, "</figcaption>\n");
    }
    report_put(out, "<details><summary>Numbers</summary>");
    begin_scroll(out, chart->title);
    report_chart_table(out, chart);
    report_put(out, "</div></details>\n</figure>\n");
}

void report_html_table_begin(struct report_out *out, struct report_html_table *table, const char *columns,
                             const char *caption) {
    *table = (struct report_html_table){.columns = columns};
    begin_scroll(out, caption);
    report_put(out, "<table><caption>");
    report_escape(out, caption);
    report_put(out, "</caption>\n");
}

void report_html_cell(struct report_out *out, struct report_html_table *table, const char *text) {
    size_t width = strlen(table->columns), column = table->cells % width;
    bool heading = table->cells < width;
    report_put(out, column == 0 ? "<tr>" : "");
    report_print(out, "<%s%s%s>", heading || column == 0 ? "th" : "td",
                 heading       ? " scope=\"col\""
                 : column == 0 ? " scope=\"row\""
                               : "",
                 table->columns[column] == 'r' ? " class=\"r\"" : "");
    report_escape(out, text);
    report_put(out, heading || column == 0 ? "</th>" : "</td>");
    report_put(out, column + 1 == width ? "</tr>\n" : "");
    table->cells++;
}

void report_html_table_end(struct report_out *out, struct report_html_table *table) {
    report_put(out, "</table></div>\n");
    table->cells = 0;
}

void report_html_text(struct report_out *out, const char *text) {
    report_put(out, "<p>");
    report_escape(out, text);
    report_put(out, "</p>\n");
}

void report_html_pre(struct report_out *out, const char *text) {
    report_put(out, "<pre tabindex=\"0\">");
    report_escape(out, text);
    report_put(out, "</pre>\n");
}

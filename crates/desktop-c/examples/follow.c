/* A program that keeps itself at the version that its server needs.
 *
 *   cc follow.c -I../include -L<directory of the library> -lobnova_desktop_c -o follow && ./follow <root> */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "obnova_desktop.h"

static void show(void *context, uint64_t done, uint64_t total) {
    *(uint64_t *)context = done;
    printf("%" PRIu64 " of %" PRIu64 "\n", done, total);
}

/* Prints what a call said and frees it; gives the call's result. */
static int say(const char *call, int result, char *text) {
    printf("%s: %d %s\n", call, result, text ? text : "");
    obnova_desktop_free(text);
    return result;
}

int main(int count, char **arguments) {
    obnova_desktop *desktop = NULL;
    char *text = NULL;
    uint64_t downloaded = 0;
    int wanted;

    if (say("open", obnova_desktop_open(count > 1 ? arguments[1] : NULL, "en", &desktop, &text), text) != 0)
        return 1;
    /* First thing: this version works. */
    text = NULL;
    say("confirm", obnova_desktop_confirm(desktop, NULL, &text), text);
    text = NULL;
    if (obnova_desktop_check(desktop, &text) != 0) {
        say("check", 1, text);
        obnova_desktop_close(desktop);
        return 1;
    }
    wanted = strstr(text, "\"wanted\":null") == NULL;
    say("check", 0, text);
    if (wanted) {
        text = NULL;
        if (say("download", obnova_desktop_download(desktop, show, &downloaded, &text), text) == 0) {
            text = NULL;
            if (say("stage", obnova_desktop_stage(desktop, &text), text) == 0) {
                text = NULL;
                say("apply", obnova_desktop_apply(desktop, 0, &text), text);
            }
        }
    }
    text = NULL;
    say("status", obnova_desktop_status(desktop, &text), text);
    obnova_desktop_close(desktop);
    return 0;
}

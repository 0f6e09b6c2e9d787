/* Keeps a program on a user's computer at the version that its server needs.
 *
 * Every function returns 0, or a number other than 0 when it failed. It then puts JSON into *out: {"error": {"code", "what",
 * "state", "do", "detail"}}, with texts in the handle's language; otherwise the result, as `obnova-desktop --json` prints it.
 * What is put into *out is freed with obnova_desktop_free; it may be asked for by NULL, too. Text is UTF-8. Calls block, and
 * may be made from any thread, one at a time for a handle; only obnova_desktop_cancel, obnova_desktop_hold and
 * obnova_desktop_is_asked_to_close may be called meanwhile.
 *
 * A program calls obnova_desktop_confirm first thing after its start. See examples/follow.c, and examples/attend.c for work that
 * must not be lost. */
#ifndef OBNOVA_DESKTOP_H
#define OBNOVA_DESKTOP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returned when there is a defect in the library, or a pointer was NULL that must not be. */
#define OBNOVA_DESKTOP_DEFECT 255
/* Returned when something failed; *out says what. */
#define OBNOVA_DESKTOP_FAILED 1

/* An installation on this computer. */
typedef struct obnova_desktop obnova_desktop;

/* Bytes downloaded and to be downloaded; called on the thread that called obnova_desktop_download. */
typedef void (*obnova_desktop_progress)(void *context, uint64_t done, uint64_t total);

/* Opens an installation; root may be NULL in a program that the launcher has started. language: "cs" or "en". The network is
 * not touched. */
int obnova_desktop_open(const char *root, const char *language, obnova_desktop **handle, char **out);

/* Closes it. NULL is fine. */
void obnova_desktop_close(obnova_desktop *handle);

/* What is here, without the network. */
int obnova_desktop_status(const obnova_desktop *handle, char **out);

/* Says whether this version works: why is NULL when it does, or what is wrong. {"confirmed": "nothing_to_do" | "yes" |
 * "without_server" | "no"}; after "no" the program should end, and the version before is started. */
int obnova_desktop_confirm(obnova_desktop *handle, const char *why, char **out);

/* Asks the server which version belongs here. "wanted" is null when it is the one that is here. */
int obnova_desktop_check(obnova_desktop *handle, char **out);

/* Downloads what the last check wanted; goes on where it was broken off, also after a restart. */
int obnova_desktop_download(obnova_desktop *handle, obnova_desktop_progress progress, void *context, char **out);

/* Verifies what was downloaded and runs its own check. */
int obnova_desktop_stage(obnova_desktop *handle, char **out);

/* Makes the next start one of the staged version. insist is not 0: although it failed here before. */
int obnova_desktop_apply(obnova_desktop *handle, int insist, char **out);

/* Makes the next start one of the version before. */
int obnova_desktop_rollback(obnova_desktop *handle, char **out);

/* What the user is to be told once: null, or what happened since the last call. */
int obnova_desktop_take_news(obnova_desktop *handle, char **out);

/* Says that the program is open, so that a restart into another version waits for it; until the handle is closed or the process
 * ends, however it ends. */
int obnova_desktop_attend(obnova_desktop *handle, char **out);

/* Says why this program cannot be closed now, as in "The offer for Novak has not been saved."; the user reads it in the dialog of
 * the update. why is NULL when it can. Attends, too. */
int obnova_desktop_hold(obnova_desktop *handle, const char *why, char **out);

/* 1 when the user wants to restart into another version: save what can be saved, and end; or go on, and say why by
 * obnova_desktop_hold. 0 otherwise. Costs a look at a directory; once a second is often enough. */
int obnova_desktop_is_asked_to_close(const obnova_desktop *handle);

/* Ends a download under way on another thread. */
void obnova_desktop_cancel(const obnova_desktop *handle);

/* Frees what was put into *out. NULL is fine. */
void obnova_desktop_free(char *text);

#ifdef __cplusplus
}
#endif
#endif

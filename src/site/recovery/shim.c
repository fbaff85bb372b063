/*
 * Recovery by libdb 5.3, behind one function that a safe caller can't misuse: `libdb.rs` is that caller.
 *
 * libdb believes what a log says, and a log names the files that its records change. A damaged or forged name could lead out of the
 * copy, into the site itself. So libdb opens, renames and removes files by the functions of this file, which know one directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <db.h>

#if DB_VERSION_MAJOR != 5 || DB_VERSION_MINOR != 3
#error "db.h is not that of Berkeley DB 5.3, whose logs and tables the sites have: install libdb5.3-dev"
#endif

/* Citadel's own servers make do with 64 KiB. Recovery goes back and forth through whole tables; 64 MiB hold those of most sites. */
#define CACHE_BYTES (64 * 1024 * 1024)

/* What libdb says: its messages, a line each. What doesn't fit is dropped. */
struct words {
	char *text;
	size_t size;
	size_t used;
};

/* What the callbacks of an environment need. */
struct recovery {
	struct words words;
	void (*position)(void *context, int percent);
	void *context;
};

/* The only directory whose files libdb may touch. libdb has one set of system calls for the whole process, and so has this file. */
static const char *fence;

/*
 * The first write that the disk refused. libdb makes a "fatal region error" of it, as if the logs were at fault, but a full disk says
 * nothing about them. Other errors of writes do: a damaged log can ask for any place in a file.
 */
static int disk_error;

static void add_line(struct words *words, const char *line)
{
	size_t room = words->size - words->used;
	int length = snprintf(words->text + words->used, room, "%s\n", line);

	if (length < 0 || (size_t)length >= room)
		words->text[words->used] = '\0';
	else
		words->used += (size_t)length;
}

static void add_error(struct words *words, const char *step, int error)
{
	char line[256];

	snprintf(line, sizeof line, "%s: %s", step, db_strerror(error));
	add_line(words, line);
}

static void on_error(const DB_ENV *env, const char *prefix, const char *message)
{
	struct recovery *recovery = env->app_private;

	(void)prefix;
	add_line(&recovery->words, message);
}

/* Without this function libdb would print its messages to standard output, where the answer is expected. */
static void on_message(const DB_ENV *env, const char *message)
{
	struct recovery *recovery = env->app_private;

	add_line(&recovery->words, message);
}

static void on_position(DB_ENV *env, int operation, int percent)
{
	struct recovery *recovery = env->app_private;

	if (operation == DB_RECOVER)
		recovery->position(recovery->context, percent);
}

static int is_inside(const char *path)
{
	size_t length = strlen(fence);

	return strncmp(path, fence, length) == 0 && path[length] == '/' && strchr(path + length + 1, '/') == NULL;
}

static int fenced_open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (!is_inside(path)) {
		errno = EPERM;
		return -1;
	}
	if (flags & O_CREAT) {
		va_list arguments;

		va_start(arguments, flags);
		mode = va_arg(arguments, mode_t);
		va_end(arguments);
	}
	return open(path, flags | O_NOFOLLOW | O_CLOEXEC, mode);
}

static int fenced_rename(const char *from, const char *to)
{
	if (!is_inside(from) || !is_inside(to)) {
		errno = EPERM;
		return -1;
	}
	return rename(from, to);
}

static int fenced_unlink(const char *path)
{
	if (!is_inside(path)) {
		errno = EPERM;
		return -1;
	}
	return unlink(path);
}

static void note_disk_error(void)
{
	if (disk_error == 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
		disk_error = errno;
}

/* libdb takes a short write of a function that is not its own for an error, and asks for no reason. */
static ssize_t whole_pwrite(int file, const void *bytes, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t length = pwrite(file, (const char *)bytes + done, size - done, at + (off_t)done);

		if (length >= 0) {
			done += (size_t)length;
		} else if (errno != EINTR) {
			note_disk_error();
			return -1;
		}
	}
	return (ssize_t)done;
}

static ssize_t whole_write(int file, const void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t length = write(file, (const char *)bytes + done, size - done);

		if (length >= 0) {
			done += (size_t)length;
		} else if (errno != EINTR) {
			note_disk_error();
			return -1;
		}
	}
	return (ssize_t)done;
}

/* A copy that a power cut spoils is made anew, so nothing needs to reach the disk. */
static int no_fsync(int file)
{
	(void)file;
	return 0;
}

static int replace_system_calls(void)
{
	int error;

	if ((error = db_env_set_func_open(fenced_open)) != 0 || (error = db_env_set_func_rename(fenced_rename)) != 0 ||
	    (error = db_env_set_func_unlink(fenced_unlink)) != 0 || (error = db_env_set_func_write(whole_write)) != 0 ||
	    (error = db_env_set_func_pwrite(whole_pwrite)) != 0)
		return error;
	return db_env_set_func_fsync(no_fsync);
}

static int set_up(DB_ENV *env, const char *home)
{
	int error;

	env->set_errcall(env, on_error);
	env->set_msgcall(env, on_message);
	if ((error = env->set_feedback(env, on_position)) != 0)
		return error;
	/* Else temporary files would go to wherever the machine has them. */
	if ((error = env->set_tmp_dir(env, home)) != 0)
		return error;
	return env->set_cachesize(env, 0, CACHE_BYTES, 1);
}

/*
 * Recovers the tables in `home`, an absolute path without a slash at its end, from the logs that are there. `position` is called with
 * `context` and per cents, zero or more times, from this thread. What libdb says goes to `text` as lines with a zero byte at the end,
 * `size` bytes in all, at least one. Gives zero, or libdb's number of an error; then `disk_error_out` is the system's number if it was the disk
 * that failed, else zero. Only one thread may be in here.
 */
int ctdl_dump_recover(const char *home, int is_catastrophic, void (*position)(void *, int), void *context, char *text, size_t size,
		      int *disk_error_out)
{
	struct recovery recovery = { { text, size, 0 }, position, context };
	u_int32_t flags = DB_CREATE | DB_PRIVATE | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN;
	DB_ENV *env;
	int error, close_error;

	text[0] = '\0';
	*disk_error_out = 0;
	fence = home;
	disk_error = 0;
	if ((error = replace_system_calls()) != 0 || (error = db_env_create(&env, 0)) != 0) {
		add_error(&recovery.words, "preparing", error);
		return error;
	}
	env->app_private = &recovery;
	if ((error = set_up(env, home)) != 0)
		add_error(&recovery.words, "preparing", error);
	else if ((error = env->open(env, home, flags | (is_catastrophic ? DB_RECOVER_FATAL : DB_RECOVER), 0600)) != 0)
		add_error(&recovery.words, "recovering", error);
	if ((close_error = env->close(env, 0)) != 0 && error == 0) {
		add_error(&recovery.words, "closing", close_error);
		error = close_error;
	}
	*disk_error_out = disk_error;
	return error;
}

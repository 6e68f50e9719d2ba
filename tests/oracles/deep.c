/* Eight threads in eight situations, and a crash of the kind that argv[1] names. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

static volatile int sink;
static char *volatile bad = (char *)0x10;
static void (*volatile nowhere)(void);
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t ready;

INLINE void level5(int n) { sink += n; pause(); sink -= n; }
INLINE void level4(int n)
{
	if (n > 2)
		level5(n + 1);
}
INLINE void level3(int n) { level4(n * 2); sink++; }
INLINE void level2(int n) { for (int i = 0; i < 2; i++) level3(n + i); }
static NOINLINE void level1(int n) { level2(n + 3); }

static NOINLINE int recurse(int n)
{
	volatile char room[64];
	room[n % 64] = room[3] = n;
	if (n == 0) {
		pause();
		return room[3];
	}
	return recurse(n - 1) + room[n % 64];
}

static NOINLINE void last_in_line(int n) { sink = n; pause(); sink = 0; }
static NOINLINE void jumps_on(int n) { sink = n + 1; last_in_line(n + 2); }
static NOINLINE void jumps_first(int n) { sink = n; jumps_on(n * 3); }

static NOINLINE void waits_for_lock(void) { pthread_mutex_lock(&held); sink = 1; pthread_mutex_unlock(&held); }
static NOINLINE void looks_at_the_clock(void)
{
	struct timespec now;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		sink = now.tv_nsec;
	}
}
static int compares(const void *a, const void *b)
{
	pause();
	return *(const int *)a - *(const int *)b;
}
static NOINLINE void sorts(void)
{
	int numbers[3] = { 3, 2, 1 };
	qsort(numbers, 3, sizeof(int), compares);
	sink = numbers[0];
}
static NOINLINE void big_frame(int n)
{
	char room[n + 4096];
	memset(room, n, sizeof(room));
	pause();
	sink = room[n];
}

static void *thread(void *argument)
{
	long number = (long)argument;
	pthread_barrier_wait(&ready);
	switch (number) {
	case 0: level1(number); break;
	case 1: recurse(30); break;
	case 2: jumps_first(5); sink = 2; break;
	case 3: waits_for_lock(); break;
	case 4: looks_at_the_clock(); break;
	case 5: sorts(); break;
	default: big_frame(100); break;
	}
	return NULL;
}

static NOINLINE void on_signal(int number) { sink = number; abort(); }
INLINE void write_to(char *place) { *place = 1; }
static NOINLINE void faults(void) { write_to(bad); sink = 3; }
static NOINLINE size_t in_libc(void) { return strlen(bad) + sink; }
static NOINLINE void calls_nothing(void) { nowhere(); sink = 4; }
static NOINLINE void kills_itself(void)
{
	sink = 5;
	__builtin_trap();
}
static NOINLINE int jumps_into_libc(int number) { sink = number; return raise(number); }
static NOINLINE int falls(int n)
{
	volatile char room[256];
	room[n % 256] = n;
	return falls(n + 1) + room[n % 200];
}

static NOINLINE void crash(const char *how)
{
	if (!strcmp(how, "handler")) {
		signal(SIGSEGV, on_signal);
		faults();
	} else if (!strcmp(how, "fault")) {
		faults();
	} else if (!strcmp(how, "libc")) {
		sink = in_libc();
	} else if (!strcmp(how, "null")) {
		calls_nothing();
	} else if (!strcmp(how, "wild")) {
		nowhere = (void (*)(void))0x123456;
		calls_nothing();
	} else if (!strcmp(how, "stack")) {
		nowhere = (void (*)(void))(void *)&how;
		calls_nothing();
	} else if (!strcmp(how, "trap")) {
		kills_itself();
	} else if (!strcmp(how, "jump")) {
		sink = jumps_into_libc(SIGABRT) + 1;
	} else if (!strcmp(how, "overflow")) {
		falls(0);
	} else {
		abort();
	}
	sink = 6;
}

int main(int argc, char **argv)
{
	pthread_t threads[7];
	int count = argc > 2 ? atoi(argv[2]) : 7;
	pthread_mutex_lock(&held);
	pthread_barrier_init(&ready, NULL, count + 1);
	for (long i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, thread, (void *)i);
	pthread_barrier_wait(&ready);
	usleep(50000);
	crash(argc > 1 ? argv[1] : "abort");
	return 0;
}

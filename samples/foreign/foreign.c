/* A program that is not HAProxy: two threads, one of which gives up. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void give_up(const char *why)
{
	fprintf(stderr, "foreign: %s\n", why);
	abort();
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

int main(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wait_for_ever, NULL);
	usleep(100000);
	give_up("nothing left to do");
	return 0;
}

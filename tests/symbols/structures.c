/* Structures as HAProxy has them, and what the compiler says of each member: name, offset, size. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <stdbool.h>

struct eb_root { void *b[2]; };
struct eb_node { struct eb_root branches; struct eb_root *node_p; struct eb_root *leaf_p; short bit; unsigned short pfx; };
enum colour { RED, GREEN = 5, BLUE = 260 };
typedef struct { int inside; } nameless_t;
struct table {
	char id[12];
	struct table *next;
	union { struct peers *p; char *name; } peers;
	struct { const char *file; int line; } conf;
	union { uint32_t number; uint16_t halves[2]; };
	struct { unsigned char deep; struct { long deeper; }; };
	enum colour colour;
	unsigned int one : 1, five : 5, : 0, ten : 10;
	signed int minus : 3;
	unsigned long long wide : 33;
	struct { struct eb_root keys; struct eb_root exps; unsigned long sh_lock; } shards[3];
	int matrix[2][4];
	void (*handler)(int);
	char **argv;
	double rate;
	bool flag;
	nameless_t nameless;
	struct eb_node node;
	unsigned char flexible[];
};

static struct table first = {
	.id = "clients", .number = 0x00020001, .conf = { "haproxy.cfg", 22 }, .deep = 9, .deeper = -9, .colour = BLUE,
	.one = 1, .five = 21, .ten = 1000, .minus = -3, .wide = 0x123456789ULL, .matrix = { { 1, 2, 3, 4 }, { -5, 6, 7, 8 } },
	.rate = 1.5, .flag = true, .nameless = { 77 }, .peers = { .name = "mates" },
};
struct table *list = &first;
__thread int tid = 3;
unsigned long masks[3] = { 1, 2, 4 };

#define SAY(m) printf("%s %zu %zu\n", #m, offsetof(struct table, m), sizeof(((struct table *)0)->m))

int main(int argc, char **argv)
{
	printf("size %zu 0\n", sizeof(struct table));
	SAY(id); SAY(next); SAY(peers); SAY(peers.p); SAY(peers.name); SAY(conf); SAY(conf.file); SAY(conf.line); SAY(number); SAY(halves);
	SAY(deep); SAY(deeper); SAY(colour); SAY(shards); SAY(shards[1].sh_lock); SAY(matrix); SAY(handler); SAY(argv); SAY(rate);
	SAY(flag); SAY(nameless); SAY(nameless.inside); SAY(node); SAY(node.leaf_p); SAY(node.bit); SAY(flexible[0]);
	first.next = list;
	first.handler = (void (*)(int))main;
	first.shards[2].sh_lock = 0x500000004UL;
	first.argv = argv;
	if (argc > 1)
		abort();
	return masks[0] == 0 && tid;
}

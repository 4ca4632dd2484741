/* The least that wires a pod: what any plugin has to ask of the kernel, in as few calls as there can be.
 *
 *   floor NETNS INTERFACE INDEX ADDRESS
 *
 * One datagram creates the pair, both ends in their final namespaces with hardware address and MTU, and the
 * node's route; another, sent from the pod, sets up loopback and the pod's end with its address, its neighbour
 * and its routes. It reads no configuration, chooses no address, and looks nothing up: the node's end gets
 * INDEX, the pod's end INDEX + 1. What it leaves out (settings, claims, waiting for the carrier) is the
 * plugin's to justify. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char datagram[4096];
static size_t length;
static struct nlmsghdr *message;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *append(const void *bytes, size_t size)
{
	void *place = datagram + length;
	memcpy(place, bytes, size);
	length += NLMSG_ALIGN(size);
	return place;
}

static void begin(int type, int flags, const void *header, size_t size)
{
	struct nlmsghdr head = {.nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags};
	message = append(&head, sizeof head);
	append(header, size);
}

static void end(void)
{
	message->nlmsg_len = datagram + length - (char *)message;
}

static struct rtattr *attribute(int type, const void *value, size_t size)
{
	struct rtattr head = {.rta_type = type, .rta_len = RTA_LENGTH(size)};
	struct rtattr *place = append(&head, sizeof head);
	append(value, size);
	return place;
}

static void nest_end(struct rtattr *nest)
{
	nest->rta_len = datagram + length - (char *)nest;
}

static void number(int type, uint32_t value)
{
	attribute(type, &value, sizeof value);
}

/* Sends what was put together; the first refusal, or the acknowledgement of the last message, settles it. */
static void exchange(const char *what)
{
	char answer[4096];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	message->nlmsg_flags |= NLM_F_ACK;
	if (fd < 0 || send(fd, datagram, length, 0) < 0 || recv(fd, answer, sizeof answer, 0) < 0)
		fail(what);
	struct nlmsgerr *error = NLMSG_DATA((struct nlmsghdr *)answer);
	if (error->error) {
		fprintf(stderr, "%s: %s\n", what, strerror(-error->error));
		exit(1);
	}
	length = 0;
}

static void link_end(const char *name, unsigned char last_octet)
{
	unsigned char mac[6] = {2, 0, 0, 0, 0, last_octet};
	attribute(IFLA_IFNAME, name, strlen(name) + 1);
	attribute(IFLA_ADDRESS, mac, sizeof mac);
	number(IFLA_MTU, 1400);
	number(IFLA_NUM_TX_QUEUES, 1);
	number(IFLA_NUM_RX_QUEUES, 1);
}

static void link_up(int index)
{
	struct ifinfomsg link = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	begin(RTM_NEWLINK, 0, &link, sizeof link);
	end();
}

static void route(int interface, const void *destination, const void *gateway)
{
	struct rtmsg head = {
		.rtm_family = AF_INET,
		.rtm_dst_len = destination ? 32 : 0,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = gateway ? RTNH_F_ONLINK : 0,
	};
	begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof head);
	if (destination)
		attribute(RTA_DST, destination, 4);
	if (gateway)
		attribute(RTA_GATEWAY, gateway, 4);
	number(RTA_OIF, interface);
	end();
}

int main(int count, char **arguments)
{
	struct in_addr address, gateway;
	if (count != 5 || !inet_aton(arguments[4], &address) || !inet_aton("169.254.1.1", &gateway)) {
		fputs("usage: floor NETNS INTERFACE INDEX ADDRESS\n", stderr);
		return 2;
	}
	int index = atoi(arguments[3]);
	int netns = open(arguments[1], O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		fail("open the pod's namespace");

	struct ifinfomsg outer = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct ifinfomsg inner = {.ifi_index = index + 1};
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &outer, sizeof outer);
	link_end(arguments[2], 1);
	struct rtattr *info = attribute(IFLA_LINKINFO, NULL, 0);
	attribute(IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = attribute(IFLA_INFO_DATA, NULL, 0);
	struct rtattr *peer = attribute(VETH_INFO_PEER, &inner, sizeof inner);
	link_end("eth0", 2);
	number(IFLA_NET_NS_FD, netns);
	nest_end(peer);
	nest_end(data);
	nest_end(info);
	end();
	route(index, &address, NULL);
	exchange("wire the node");

	if (setns(netns, CLONE_NEWNET) < 0)
		fail("enter the pod's namespace");
	unsigned char mac[6] = {2, 0, 0, 0, 0, 1};
	struct ifaddrmsg assigned = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = index + 1};
	struct ndmsg neighbour = {.ndm_family = AF_INET, .ndm_ifindex = index + 1, .ndm_state = NUD_PERMANENT};
	link_up(1);
	link_up(index + 1);
	begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &assigned, sizeof assigned);
	attribute(IFA_ADDRESS, &address, 4);
	attribute(IFA_LOCAL, &address, 4);
	end();
	begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &neighbour, sizeof neighbour);
	attribute(NDA_DST, &gateway, 4);
	attribute(NDA_LLADDR, mac, sizeof mac);
	end();
	route(index + 1, &gateway, NULL);
	route(index + 1, NULL, &gateway);
	exchange("wire the pod");
	return puts("{}") < 0;
}

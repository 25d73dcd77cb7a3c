// Package vnet is a userspace Ethernet switch: it wires guests together that
// speak plain Ethernet frames over AF_UNIX SOCK_SEQPACKET sockets, one frame a
// record, as User-mode Linux's bess transport does. It needs no privilege and
// touches nothing of the host's network.
//
// # Ports and links
//
// A port listens on a socket path. A guest connects to it whenever its
// interface is set up and closes the connection whenever it is set down, so an
// accept means that the link is up and an end of file that it is down. A
// guest whose connection the switch closes does not reconnect: it spins on the
// dead descriptor at 92 % of a CPU. So the switch closes a connection only
// after the guest did, or when the Switch itself is closed. A cut cable
// (SetPlugged) drops frames and keeps the socket; a removed port and an older
// connection of a guest that came twice are read and thrown away until they end.
// (What opens more than a handful of connections to one port is not a guest;
// its oldest are closed.)
//
// # Segments
//
// A port belongs to a segment, one Ethernet broadcast domain. A switch learns
// source addresses and sends unicast frames where their addressee was last
// seen; a hub sends every frame to every other port; a link joins exactly two
// ports and looks at no address. All three pass every well-formed frame on,
// the reserved group addresses of spanning tree, LLDP and LACP included:
// the devices that may have to answer them are the guests.
// No frame ever leaves by the port it came in by.
//
// # The frame path
//
// One goroutine on a thread of its own runs one epoll loop for the whole
// Switch. A round takes up to 64 frames from every readable port with one
// recvmmsg each, so that a flooding port cannot starve the others, decides for
// every frame where it goes, and hands each destination all its frames with
// one sendmmsg. Frames go out of the buffer they came in, to however many
// ports. Nothing on this path allocates, locks, or waits: when a receiver's
// socket is full the frame is dropped and counted, as a wire would.
// Counters are atomics, published once a batch, that anyone may read.
//
// Everything else (ports coming and going, inspection) is a function put into
// a queue that the loop runs between two rounds, so the loop's data has one
// owner and needs no lock. The files follow this division: switch.go is the
// API and its bookkeeping, config.go what goes in and comes out of it, loop.go
// the epoll loop, conn.go the coming and going of connections and ports,
// port.go what enters and leaves a port, forward.go the decision, mac.go the
// address table, syscall.go the batched calls, listen.go the socket files,
// link.go the news of links.
package vnet

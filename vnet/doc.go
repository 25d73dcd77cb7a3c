// Package vnet is a userspace Ethernet switch: it wires guests together that
// speak plain Ethernet frames over AF_UNIX SOCK_SEQPACKET sockets, one frame a
// record, as User-mode Linux's bess transport does. It needs no privilege and
// touches nothing of the host's network.
//
// # Ports and links
//
// A port listens on a socket path. A guest connects to it whenever its
// interface is set up and closes the connection whenever it is set down, so an
// accept means that the link is up and an end of file that it is down.
//
// A guest whose kernel understands carrier messages (PortConfig.Carrier) is told
// by a record of one byte whether it has a carrier: 0 says that it has none, 1 that it
// has one. An interface that is set up believes that it has one until told
// otherwise. A port has carrier while it is on a segment and its cable is in and,
// on a link, the cable at the other end too; a neighbour that is off or down
// takes no carrier away. The end of the stream turns such a guest's carrier off,
// so a port that is removed, and Close, may close its connection at any time.
//
// A guest without that, whose connection the switch closes, does not reconnect:
// it spins on the dead descriptor at 92 % of a CPU. So the switch closes such a
// connection only after the guest did, or when the Switch itself is closed. A
// cut cable (SetPlugged) drops frames and keeps the socket; a removed port and
// an older connection of a guest that came twice are read and thrown away until
// they end. (What opens more than a handful of connections to one port is not a
// guest; its oldest are closed.)
//
// # Segments
//
// A port belongs to a segment, one Ethernet broadcast domain. A switch learns
// source addresses and sends unicast frames where their addressee was last
// seen; a hub sends every frame to every other port; a link joins exactly two
// ports and looks at no address. All three pass every well-formed frame on,
// the reserved group addresses of spanning tree, LLDP and LACP included:
// the devices that may have to answer them are the guests. No frame ever leaves
// by the port it came in by, or is longer than the segment's MTU allows. A mirror
// port gets a copy of all that enters the segment.
//
// A switch whose ports have a VLANConfig keeps VLANs apart as 802.1Q says, each
// with addresses of its own. Tags of VLAN 0 are of priority alone. A port that is
// no trunk takes no other tag, and no frame leaves without its tag that would
// then show a second one: both would let a guest hop VLANs.
//
// Each port may send so many group-addressed frames a second and no more, so
// that a loop through guests' bridges melts nothing. The loop itself is found by
// the frames that come back by another port than at first, and by addresses that
// wander; SegmentStats reports it.
//
// # Offloads
//
// On a port with PortConfig.Offload every record, both ways, is a struct
// virtio_net_hdr and a frame of up to 64 KiB, whose checksum may be left undone
// and which may be a super-frame. Between two such ports a record passes as it
// is. A port without gets what a wire would carry (package offload). A header
// that makes no sense is dropped with its frame, and counted.
//
// # Bad wires
//
// Each direction of a port's cable can be impaired (Switch.Impair, package
// impair), live, and scripted events do something to exact frames or at exact
// times (Switch.Script). Impairment acts on what a wire would carry: what a
// guest sends is impaired before the switch sees it, so before addresses are
// learned and storms counted, and what it gets after the switch has done with
// it. A frame that goes through two impaired directions is late by the sum of
// both, to the nanosecond of the loop's clock.
//
// Frames that are delayed lie in memory that is bounded for the whole Switch
// (Options.DelayMemory) and shared fairly between directions. They are in the
// cable: one whose receiver goes down is heard by nobody, one whose cable is
// pulled, or whose port is removed, is cut, and one that has left its sender's
// cable arrives whatever becomes of the sender. They leave to within some 50 µs
// of their time on a quiet machine. Without impairment a frame pays for two
// comparisons with nil.
//
// # Recording
//
// With Options.Record every frame that a guest sends, and what became of it on
// every port that it met, is recorded (package record): one copy of its bytes
// and some stores, and nothing is waited for. It is shown to readers at the end of
// each round, and before a command is carried out, so that whoever did something
// to the Switch finds what came before it.
//
// # The frame path
//
// One goroutine on a thread of its own runs one epoll loop for the whole
// Switch. A round takes up to 64 frames from every readable port (16 where they
// may be super-frames) with one recvmmsg each, so that a flooding port cannot
// starve the others, decides for every frame where it goes, and hands each
// destination all its frames with one sendmmsg. Frames go out of the buffer they
// came in, to however many ports; tags and offload headers that must change, and
// the headers of super-frames that are cut, are written elsewhere and go before
// the rest by a second iovec. Nothing on this path allocates, locks, or waits:
// when a receiver's socket is full the frame is dropped and counted, as a wire
// would. Counters are atomics, published once a batch, that anyone may read.
//
// The comment at the top of forward.go names a frame's steps, and where
// recording and impairment hook in.
//
// Everything else (ports coming and going, inspection) is a function put into
// a queue that the loop runs between two rounds, so the loop's data has one
// owner and needs no lock. The files follow this division: switch.go is the
// API and its bookkeeping, config.go what goes in and comes out of it, loop.go
// the epoll loop, conn.go the coming and going of connections and ports,
// carrier.go what guests are told of their cables, ring.go where frames lie,
// frame.go how they come in, forward.go and segment.go where they go, vlan.go
// and storm.go what may keep them from it, form.go the shapes they go in,
// queue.go how they leave, port.go a port and its counters, mac.go the address
// table, syscall.go the batched calls, listen.go the socket files, link.go the
// news of links, tape.go what is recorded. Of bad wires way.go has one direction
// of a cable, air.go what is under way, flight.go its order and depot.go its
// memory, timer.go what wakes the loop for it, script.go the events. place.go
// says which CPU the loop keeps off.
package vnet

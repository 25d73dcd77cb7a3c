// Package stackport joins a gVisor network stack to a port of a vnet.Switch: a
// Port is what the stack calls a link endpoint and what the switch calls a
// guest. Nothing of it needs a privilege or a device of the host.
//
// A Port is plain Ethernet: one frame is one record of a SOCK_SEQPACKET
// socket, unpadded, without a checksum, as User-mode Linux sends it. It takes
// the frames for its own address and for groups, as a network card does, and
// sends nothing of itself.
//
// The switch reads its sockets at every round and never waits for anyone, so a
// Port's writes wait while its socket is full instead of losing frames that no
// wire has lost. What the switch cannot hand to a Port in time it drops, as for
// any guest.
//
// # Ending
//
// A stack's Close and Wait hold locks that the reading of frames may need. So
// close the Port first, which waits for its reader, and destroy the stack then:
//
//	port.Close()
//	stack.Destroy()
//
// # Forwarding
//
// A stack that forwards packets between its interfaces (SetForwarding…) reads
// a header of IPv4 after its memory has gone back to a pool, as of September
// 2026: the TTL may become another packet's. Let a stack end connections
// instead of forwarding them.
package stackport

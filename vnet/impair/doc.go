// Package impair is the model of a bad wire: what one direction of a cable does
// to each frame that is sent into it. It is arithmetic alone: no clock, no
// memory of frames, no goroutine. Package vnet asks it about every frame and
// does what it says.
//
// # What happens to a frame
//
//  1. With a Rate the frame is sent at that speed, after those before it. Up
//     to Queue frames wait for their turn; one that finds the queue full is
//     dropped.
//  2. On its way it may be lost, each on its own (Loss) or in bursts (Burst).
//     A lost frame has taken its time on the wire.
//  3. It arrives Delay ± Jitter after it was sent, never before one that was
//     sent earlier, unless Reorder lets it: such a frame is not delayed at all
//     and so overtakes those that are.
//  4. It may be corrupted: one bit behind its Ethernet header is inverted.
//  5. It may be duplicated: a second copy, the same bytes, follows at once, or
//     when the Rate allows.
//
// # Frame for frame from a seed
//
// Each decision about the n-th frame is a hash of the seed, of n and of what is
// decided. Nothing else goes into it: not the clock, not the frame, not the
// other decisions, not the rest of the configuration. So the same seed loses
// the same frames, and a delay that is added, or a loss that is raised and set
// back, shifts none of the other draws. (What a full queue drops depends on when
// frames come, as on any wire.)
//
// # Compared with netem
//
// The words mean what they mean to the Linux queueing discipline, with these
// differences. Draws repeat. Jitter keeps the order of frames. Rate counts the
// bits that a real Ethernet would carry and delays follow it, so that a queue is
// a queue and not a limit on all that is under way. A lost frame used its share
// of the rate. Corruption spares the Ethernet header, so that it meets the
// addressee's checksums and not some other machine.
package impair

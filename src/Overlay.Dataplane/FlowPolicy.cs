namespace Overlay.Dataplane;

/// <summary>How long a service's clients and flows are remembered; each a whole number of seconds.</summary>
/// <param name="Sticky">So long after its last new flow a client gets the same backend; zero: each flow is chosen for anew.</param>
/// <param name="Tcp">An established connection without a packet is forgotten after it; zero: after the kernel's own time.</param>
/// <param name="TcpFin">The same of one that an end has closed.</param>
/// <param name="Udp">The same of datagrams, answered or not.</param>
public readonly record struct FlowPolicy(TimeSpan Sticky, TimeSpan Tcp, TimeSpan TcpFin, TimeSpan Udp);

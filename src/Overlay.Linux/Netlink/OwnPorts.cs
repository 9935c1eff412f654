namespace Overlay.Linux.Netlink;

/// <summary>
/// The range of netlink port ids that our sockets bind to: "OV" in the upper half. Other programs use their process
/// id (below 2^22) or leave the choice to the kernel (above 2^31), so that the port id in a notification tells
/// whose change it was, where the kernel fills it in.
/// </summary>
internal static class OwnPorts
{
    private const uint Mark = 0x4f56_0000;

    public static uint Make(uint number) => Mark | (number & 0xffff);

    public static bool Contains(uint port) => (port & 0xffff_0000) == Mark;
}

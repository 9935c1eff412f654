using Overlay.Linux.Netlink;

namespace Overlay.Tests.Linux;

/// <summary>
/// Answers of a real kernel (6.18) to dump requests, in a namespace that iproute2 had filled with a bridge, two
/// VXLAN devices, a veth end, addresses, routes, forwarding entries and neighbours.
/// </summary>
internal static class NetlinkDump
{
    public static readonly string[] Names = ["links", "addresses", "routes4", "routes6", "fdb", "neighbours"];

    public static byte[] Load(string name) =>
        File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "testdata", "netlink", $"{name}.bin"));

    public static List<T> Parse<T>(ReadOnlySpan<byte> bytes, TryParseMessage<T> parse)
    {
        List<T> items = [];
        MessageReader reader = new(bytes);
        while (reader.TryNext(out NetlinkMessage message))
        {
            if (parse(message, out T item))
            {
                items.Add(item);
            }
        }

        return items;
    }
}

namespace Overlay.Linux.Netlink;

/// <summary>What the kernel answered to one request of a batch.</summary>
/// <param name="Errno">0: done.</param>
/// <param name="Text">The extended acknowledgement's words, if any.</param>
internal readonly record struct NetlinkReply(int Errno, string? Text)
{
    /// <summary>Reads an NLMSG_ERROR message: a negative errno, the request's header, then attributes.</summary>
    public static bool TryRead(NetlinkMessage message, out NetlinkReply reply)
    {
        reply = default;
        const int ErrorSize = 4 + NetlinkConstants.HeaderSize;
        if (message.Payload.Length < ErrorSize)
        {
            return false;
        }

        int code = System.Runtime.InteropServices.MemoryMarshal.Read<int>(message.Payload);
        if (code is > 0 or < -4095)
        {
            return false;
        }

        string? text = null;
        if ((message.Header.Flags & NetlinkConstants.AckHasAttributes) != 0)
        {
            int start = ErrorSize;
            if ((message.Header.Flags & NetlinkConstants.Capped) == 0)
            {
                uint original = System.Runtime.InteropServices.MemoryMarshal.Read<uint>(message.Payload[4..]);
                start = original >= NetlinkConstants.HeaderSize && original <= (uint)message.Payload.Length - 4
                    ? NetlinkConstants.Align(4 + (int)original)
                    : message.Payload.Length;
            }

            AttributeReader attributes = new(message.Payload[Math.Min(start, message.Payload.Length)..]);
            while (attributes.TryNext(out NetlinkAttribute attribute))
            {
                text = attribute.Type == NetlinkConstants.ErrorText ? attribute.Text : text;
            }
        }

        reply = new(-code, text);
        return true;
    }
}

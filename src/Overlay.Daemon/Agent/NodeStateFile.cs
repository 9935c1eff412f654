using Google.Protobuf;
using Overlay.Daemon.Storage;
using Overlay.Node;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>The node's own state on disk: replaced whole by <see cref="StateWriter"/>, read once at the start.</summary>
internal static class NodeStateFile
{
    public const string FileName = "node.state";

    public static byte[] Write(LocalState state) => CheckedFile.Wrap(state.ToByteArray());

    /// <summary>Null: there is none, or it is of another membership.</summary>
    /// <exception cref="InvalidDataException">It is not what this agent wrote; told in a sentence.</exception>
    public static LocalState? Load(string folder, string nodeId)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        FileContent content = DurableFile.Read(path, CheckedFile.MaxBytes);
        if (content.Unreadable.Length > 0)
        {
            throw Damaged(path, $"it cannot be read: {content.Unreadable}");
        }

        if (!CheckedFile.TryUnwrap(content.Bytes, out ReadOnlyMemory<byte> data))
        {
            throw Damaged(path, "its checksum does not match");
        }

        LocalState state;
        try
        {
            state = LocalState.Parser.ParseFrom(data.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Damaged(path, e.Message.TrimEnd('.'));
        }

        if (state.NodeId != nodeId)
        {
            return null;
        }

        return LocalStateFault.Of(state) is { } fault ? throw Damaged(path, fault) : state;
    }

    private static InvalidDataException Damaged(string path, string why) => new(
        $"{path} is damaged ({why}): type `rm {path} && systemctl restart overlayd`, and attach this host's sandboxes again; "
        + "a manager tells the rest");
}

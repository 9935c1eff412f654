namespace Overlay.Gossip.Wire;

/// <summary>Takes the messages of a packet, in their order.</summary>
internal interface IMessageSink
{
    /// <param name="message">There until this returns; no other packet may be read before.</param>
    void Take(MessageType type, in MessageFields message);
}

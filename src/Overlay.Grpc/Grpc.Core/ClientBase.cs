namespace Grpc.Core;

/// <summary>What every generated client starts from.</summary>
public abstract class ClientBase
{
    private readonly CallInvoker? _callInvoker;

    protected ClientBase()
    {
    }

    protected ClientBase(ClientBaseConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _callInvoker = configuration.CallInvoker;
    }

    protected ClientBase(ChannelBase channel)
    {
        ArgumentNullException.ThrowIfNull(channel);
        _callInvoker = channel.CreateCallInvoker();
    }

    protected ClientBase(CallInvoker callInvoker)
    {
        ArgumentNullException.ThrowIfNull(callInvoker);
        _callInvoker = callInvoker;
    }

    protected CallInvoker CallInvoker => _callInvoker
        ?? throw new InvalidOperationException("This client was made without a channel, as only a test double may be.");

    protected ClientBaseConfiguration Configuration => new(CallInvoker);

    /// <summary>What a copy of a client is made from.</summary>
    protected internal class ClientBaseConfiguration
    {
        internal ClientBaseConfiguration(CallInvoker callInvoker) => CallInvoker = callInvoker;

        internal CallInvoker CallInvoker { get; }
    }
}

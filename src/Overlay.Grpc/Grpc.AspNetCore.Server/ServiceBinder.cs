using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server;

/// <summary>
/// Collects a service's methods from its generated <c>BindService</c>. The method is looked up by name once, here;
/// a call then goes through a delegate.
/// </summary>
internal sealed class ServiceBinder<
    [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.All)] TService>(IServiceProvider services)
    : ServiceBinderBase
    where TService : class
{
    private readonly ServiceActivator<TService> _activator = new();
    private readonly GrpcServiceOptions _options = services.GetRequiredService<IOptions<GrpcServiceOptions>>().Value;
    private readonly TimeProvider _time = services.GetService<TimeProvider>() ?? TimeProvider.System;
    private readonly ILogger _logger = services.GetRequiredService<ILoggerFactory>().CreateLogger<TService>();

    public List<(IMethod Method, RequestDelegate Handler)> Methods { get; } = [];

    /// <summary>Lets generated code list the methods.</summary>
    public void Bind()
    {
        for (Type? type = typeof(TService); type is not null; type = type.BaseType)
        {
            if (type.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false) is { } attribute)
            {
                MethodInfo bind = attribute.BindType.GetMethod(
                    attribute.BindMethodName, BindingFlags.Public | BindingFlags.Static,
                    [typeof(ServiceBinderBase), type])
                    ?? throw new InvalidOperationException(
                        $"{attribute.BindType} has no method {attribute.BindMethodName}: generate its code again.");
                bind.Invoke(null, [this, null]);
                return;
            }
        }

        throw new InvalidOperationException(
            $"{typeof(TService)} is no gRPC service: derive it from the base class generated from its .proto file.");
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
    {
        var call = Find<Func<TService, TRequest, ServerCallContext, Task<TResponse>>>(
            method, typeof(TRequest), typeof(ServerCallContext));
        Add(method, async (service, context) =>
        {
            TRequest request = await ReadOnlyMessageAsync(method, context);
            await RespondAsync(method, context, await call(service, request, context));
        });
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var call = Find<Func<TService, IAsyncStreamReader<TRequest>, ServerCallContext, Task<TResponse>>>(
            method, typeof(IAsyncStreamReader<TRequest>), typeof(ServerCallContext));
        Add(method, async (service, context) =>
        {
            RequestStream<TRequest> requests = new(Reader(method, context), context);
            await RespondAsync(method, context, await call(service, requests, context));
        });
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var call = Find<Func<TService, TRequest, IServerStreamWriter<TResponse>, ServerCallContext, Task>>(
            method, typeof(TRequest), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext));
        Add(method, async (service, context) =>
        {
            TRequest request = await ReadOnlyMessageAsync(method, context);
            await call(service, request, new ResponseStream<TResponse>(Writer(method, context), context), context);
        });
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
    {
        var call = Find<Func<
            TService, IAsyncStreamReader<TRequest>, IServerStreamWriter<TResponse>, ServerCallContext, Task>>(
            method, typeof(IAsyncStreamReader<TRequest>), typeof(IServerStreamWriter<TResponse>),
            typeof(ServerCallContext));
        Add(method, (service, context) => call(
            service,
            new RequestStream<TRequest>(Reader(method, context), context),
            new ResponseStream<TResponse>(Writer(method, context), context),
            context));
    }

    private static TDelegate Find<TDelegate>(IMethod method, params Type[] parameters)
        where TDelegate : Delegate
    {
        MethodInfo found = typeof(TService).GetMethod(
            method.Name, BindingFlags.Public | BindingFlags.Instance, parameters)
            ?? throw new InvalidOperationException($"{typeof(TService)} has no public method for {method.FullName}.");
        return found.CreateDelegate<TDelegate>();
    }

    private void Add(IMethod method, Func<TService, HttpCallContext, Task> use)
    {
        ServerCall call = new(
            method, _options, _time, _logger,
            context => _activator.RunAsync(context.HttpContext.RequestServices, service => use(service, context)));
        Methods.Add((method, call.HandleAsync));
    }

    private MessageReader<TRequest> Reader<TRequest, TResponse>(
        Method<TRequest, TResponse> method, HttpCallContext context) => new(
        context.HttpContext.Request.BodyReader, method.RequestMarshaller.ContextualDeserializer,
        _options.MaxReceiveMessageSize);

    private MessageWriter<TResponse> Writer<TRequest, TResponse>(
        Method<TRequest, TResponse> method, HttpCallContext context) => new(
        context.HttpContext.Response.BodyWriter, method.ResponseMarshaller.ContextualSerializer,
        _options.MaxSendMessageSize);

    /// <summary>Reads a request of which there must be exactly one.</summary>
    private async Task<TRequest> ReadOnlyMessageAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, HttpCallContext context)
        where TRequest : class
    {
        RequestStream<TRequest> reader = new(Reader(method, context), context);
        if (!await reader.MoveNext(context.CancellationToken))
        {
            throw new RpcException(new Status(StatusCode.Unimplemented, "The request has no message; it needs one."));
        }

        TRequest request = reader.Current;
        return await reader.MoveNext(context.CancellationToken)
            ? throw new RpcException(new Status(
                StatusCode.Unimplemented, "The request has more than one message; it may have one."))
            : request;
    }

    private Task RespondAsync<TRequest, TResponse>(
        Method<TRequest, TResponse> method, HttpCallContext context, TResponse? response)
    {
        if (context.Status.StatusCode != StatusCode.OK)
        {
            // The service chose a status instead of a response.
            return Task.CompletedTask;
        }

        return response is null
            ? throw new InvalidOperationException($"The service returned null from {method.FullName}.")
            : context.WriteAsync(Writer(method, context), response, flush: false, context.CancellationToken);
    }
}

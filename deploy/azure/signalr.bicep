// SignalR Service in Serverless mode: the app sends results to it, pages listen. No access keys.
param name string
param location string
param tags object
param appPrincipalId string
param pageUri string

var signalrServiceOwner = '7e4f1700-ea5a-4f59-8f37-079cfe29dce3' // negotiates and sends

resource signalr 'Microsoft.SignalRService/signalR@2024-03-01' = {
  name: name
  location: location
  tags: tags
  kind: 'SignalR'
  // 20 connections and 20,000 messages a day; Standard_S1 for more (docs/scale.md).
  sku: { name: 'Free_F1', tier: 'Free', capacity: 1 }
  properties: {
    features: [{ flag: 'ServiceMode', value: 'Serverless' }]
    disableLocalAuth: true
    cors: { allowedOrigins: [pageUri] }
  }
}

resource appRight 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(signalr.id, appPrincipalId, signalrServiceOwner)
  scope: signalr
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', signalrServiceOwner)
  }
}

output uri string = 'https://${signalr.properties.hostName}'

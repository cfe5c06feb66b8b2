// The whole app in Azure: one resource group, no key in any setting.
targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('Name of the azd environment; the resource group is called after it.')
param environmentName string

// The regions with Flex Consumption in Microsoft's own templates, but for the one that is for trials.
// Newer ones: az functionapp list-flexconsumption-locations
@description('Region, one with Flex Consumption.')
@allowed([
  'australiaeast'
  'australiasoutheast'
  'brazilsouth'
  'canadacentral'
  'centralindia'
  'centralus'
  'eastasia'
  'eastus'
  'eastus2'
  'francecentral'
  'germanywestcentral'
  'italynorth'
  'japaneast'
  'koreacentral'
  'northcentralus'
  'northeurope'
  'norwayeast'
  'southafricanorth'
  'southcentralus'
  'southeastasia'
  'southindia'
  'spaincentral'
  'swedencentral'
  'uaenorth'
  'uksouth'
  'ukwest'
  'westcentralus'
  'westeurope'
  'westus'
  'westus2'
  'westus3'
])
@metadata({ azd: { type: 'location' } })
param location string

@description('Region of the static site\'s management; its pages are served from everywhere.')
@allowed(['centralus', 'eastasia', 'eastus2', 'westeurope', 'westus2'])
param webLocation string = 'westeurope'

// Not in main.parameters.json, so that azd asks for it and no file of the project contains it. azd
// keeps the answer in your user profile (base64, not encrypted): look after that machine, or change keys.
@secure()
@minLength(16)
@description('API_KEYS: keys, comma-separated, one of which every request must carry.')
param apiKeys string

@description('Who deploys: may put URLs on the queue and images into the container. Empty: nobody.')
param principalId string = ''

@description('Memory of an instance. 512 is enough when every model is ONNX.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('The most instances of each function group: as many for HTTP, and as many again for the queue.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Monthly budget of the resource group, a whole number in the currency of your bill. Empty, as the next two: none.')
param budgetAmount string = ''

@description('Who is told when the budget is used up or will be, comma-separated.')
param budgetEmails string = ''

@description('First month of the budget, as 2027-01-01: the current one when it is made. Never change it.')
param budgetFirstMonth string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: 'id-${token}', location: location, tags: tags }
}

module storage 'storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: tags
    appPrincipalId: identity.outputs.principalId
    userPrincipalId: principalId
  }
}

module monitoring 'monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: { token: token, location: location, tags: tags, appPrincipalId: identity.outputs.principalId }
}

module vault 'vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    appPrincipalId: identity.outputs.principalId
    apiKeys: apiKeys
  }
}

module web 'web.bicep' = {
  name: 'web'
  scope: group
  params: { name: 'stapp-${token}', location: webLocation, tags: tags }
}

module signalr 'signalr.bicep' = {
  name: 'signalr'
  scope: group
  params: {
    name: 'sigr-${token}'
    location: location
    tags: tags
    appPrincipalId: identity.outputs.principalId
    pageUri: web.outputs.uri
  }
}

module api 'api.bicep' = {
  name: 'api'
  scope: group
  params: {
    token: token
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    blobServiceUri: storage.outputs.blobServiceUri
    queueServiceUri: storage.outputs.queueServiceUri
    tableServiceUri: storage.outputs.tableServiceUri
    packageContainerUri: storage.outputs.packageContainerUri
    insightsConnectionString: monitoring.outputs.connectionString
    signalrUri: signalr.outputs.uri
    apiKeysUri: vault.outputs.apiKeysUri
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
  }
}

// One of the three without the others is a mistake, which the deployment then reports.
module budget 'budget.bicep' = if (!empty('${budgetAmount}${budgetEmails}${budgetFirstMonth}')) {
  name: 'budget'
  scope: group
  params: { amount: budgetAmount, emails: budgetEmails, firstMonth: budgetFirstMonth }
}

// azd keeps these in its environment: `azd env get-values` shows them.
output AZURE_LOCATION string = location
output API_URI string = api.outputs.uri
output PAGE_URI string = '${web.outputs.uri}/index.html?api=${api.outputs.uri}'
output LIVE_PAGE_URI string = '${web.outputs.uri}/live.html?api=${api.outputs.uri}'
output STORAGE_ACCOUNT string = storage.outputs.name
